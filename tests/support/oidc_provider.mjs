// A certified provider of OpenID Connect, with the people and clients of the tests.
// Arguments: the folder of oidc-provider, the port, and in JSON the clients, the people and their
// claims, and whether those are in the ID token.
import { pathToFileURL } from "node:url";

const [folder, port, given] = process.argv.slice(2);
const { clients, people, inIdToken } = JSON.parse(given);
const { Provider } = await import(pathToFileURL(`${folder}/lib/index.js`));

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients,
  claims: {
    openid: ["sub"],
    profile: ["preferred_username", "groups"],
    email: ["email", "email_verified"],
  },
  conformIdTokenClaims: !inIdToken,
  cookies: { keys: ["only for tests"] },
  pkce: { required: () => true },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
  // Whoever is known has agreed already, as in a company's own provider.
  async loadExistingGrant(ctx) {
    const { client, session } = ctx.oidc;
    const known = session.grantIdFor(client.clientId);
    if (known) return ctx.oidc.provider.Grant.find(known);
    const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope("openid profile email");
    await grant.save();
    return grant;
  },
});
provider.use(async (ctx, next) => {
  console.log(ctx.method, ctx.url);
  await next();
});
provider.listen(Number(port), "127.0.0.1");
