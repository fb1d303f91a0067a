"""Signing in at a real provider in a real browser: policies, cookies and redirects included."""

from __future__ import annotations

from tests.e2e.test_serve import serving
from tests.support.browser import browser
from tests.support.command import CommandLine
from tests.support.oidc_provider import CLIENT_ID, CLIENT_SECRET, oidc_provider
from tests.support.processes import free_port

CONFIG = """\
[service.oidc]
issuer = "{issuer}"
client_id = "{client}"
client_secret_file = "client-secret"
url = "{url}"
grants = [{{ value = "platform", role = "admin" }}]
"""
_PATIENCE = 20_000  # milliseconds; a busy machine is no failure


async def test_somebody_signs_in_changes_something_and_signs_out_everywhere(tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    replicate = CommandLine(tmp_path)
    (tmp_path / "client-secret").write_text(CLIENT_SECRET)
    with oidc_provider([url]) as issuer:
        replicate.write_config(CONFIG.format(issuer=issuer, client=CLIENT_ID, url=url))
        async with (
            serving(replicate, "--listen", f"127.0.0.1:{port}"),
            browser() as chromium,
        ):
            context = await chromium.new_context(base_url=url)
            context.set_default_timeout(_PATIENCE)
            page = await context.new_page()
            trouble = []

            def hear(said):
                # The pages of the provider want fonts from elsewhere; ours are at stake.
                if said.type == "error" and said.location["url"].startswith(url):
                    trouble.append(said.text)

            page.on("console", hear)

            await page.goto("/rules/new")
            await page.get_by_role("link", name="Sign in with").click()
            await page.get_by_placeholder("Enter any login").fill("ada")
            await page.get_by_placeholder("and password").fill("any")
            await page.get_by_role("button", name="Sign-in").click()
            await page.wait_for_url(f"{url}/rules/new")
            who = await page.locator(".who").inner_text()
            cookies = {each["name"]: each for each in await context.cookies(url)}
            await page.get_by_role("button", name="Create the rule").click()
            await page.get_by_role("button", name="Run now").wait_for()

            await page.get_by_role("button", name="Sign out").click()
            await page.get_by_role("link", name="sign out there as well").click()
            await page.get_by_role("button", name="Yes, sign me out").click()
            await page.wait_for_url(f"{url}/sign-in**")
            await page.goto("/")
            signed_out = page.url
            # The provider knows nobody either, and asks anew.
            await page.get_by_role("link", name="Sign in with").click()
            await page.get_by_placeholder("Enter any login").wait_for()

    assert "oidc:ada.l" in who
    assert "admin" in who
    assert cookies["replicate"]["httpOnly"]
    assert cookies["replicate"]["sameSite"] == "Lax"
    assert "replicate-sign-in" not in cookies
    assert signed_out == f"{url}/sign-in"
    assert trouble == []
