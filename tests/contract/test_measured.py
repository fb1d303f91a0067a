"""The fakes of Harbor and Quay answer as the real servers were seen to, request by request."""

from __future__ import annotations

import base64
import hashlib
import json

import httpx
import pytest

from replicator.oci import media_types
from replicator.oci.manifest import Manifest
from tests.fakes.harbor import FakeHarbor
from tests.fakes.quay import FakeQuay
from tests.support.embedded import store_artifact, store_image, store_index

USER, PASSWORD = "alice", "wonderland"
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
WRONG = "Basic " + base64.b64encode(f"{USER}:no".encode()).decode()
ALL_TYPES = ", ".join(media_types.MANIFEST_TYPES)
APP = "/v2/team/app"
BLOB = b"twenty bytes of blob"
DIGEST = "sha256:" + hashlib.sha256(BLOB).hexdigest()
ABSENT = "sha256:" + "0" * 64


class Wire:
    """Sends requests to a fake as a user who may do everything, or with other headers."""

    def __init__(self, fake, http, authorization):
        self.fake = fake
        self.storage = fake.storage
        self._http = http
        self._authorization = authorization

    async def __call__(self, method, place, content=None, **headers):
        named = {name.replace("_", "-"): value for name, value in headers.items() if value}
        if "Authorization" not in headers:
            named["Authorization"] = self._authorization
        url = place if place.startswith("http") else f"{self.fake.registry.url}{place}"
        return await self._http.request(method, url, content=content, headers=named)

    async def opened(self):
        """Open an upload session; returns its place."""
        return (await self("POST", f"{APP}/blobs/uploads/")).headers["location"]


def code(answer):
    return answer.json()["errors"][0]["code"]


def with_digest(place, digest=DIGEST):
    return f"{place}{'&' if '?' in place else '?'}digest={digest}"


@pytest.fixture
async def http():
    # Like a plain client's, without a word of what it takes.
    async with httpx.AsyncClient(headers={"Accept-Encoding": "identity"}) as client:
        del client.headers["accept"]
        yield client


@pytest.fixture
async def harbor(http):
    fake = FakeHarbor({USER: PASSWORD}, projects=("team", "other"))
    async with fake.registry:
        store_image(fake.storage, "team/app", "v1")
        yield Wire(fake, http, BASIC)


@pytest.fixture
async def quay(http):
    fake = FakeQuay({USER: PASSWORD}, organisations=("team",))
    fake.tokens.creators = {USER}
    async with fake.registry:
        store_image(fake.storage, "team/app", "v1")
        place = f"{fake.registry.url}/v2/auth?scope=repository:team/app:pull,push"
        answer = await http.get(place, headers={"Authorization": BASIC})
        yield Wire(fake, http, f"Bearer {answer.json()['token']}")


class TestHarbor:
    async def test_who_sent_anything_is_challenged_for_basic(self, harbor):
        challenges = [
            (await harbor("GET", "/v2/", Authorization=header)).headers["www-authenticate"]
            for header in ("", WRONG, "Bearer old")
        ]

        assert challenges[0].startswith("Bearer realm=")
        assert "scope" not in challenges[0]
        assert challenges[1:] == ['Basic realm="harbor"'] * 2

    async def test_a_wrong_password_gets_an_anonymous_token(self, harbor):
        place = "/service/token?service=harbor-registry&scope=repository:team/app:pull"

        assert (await harbor("GET", place, Authorization=WRONG)).status_code == 200

    async def test_a_missing_project_is_401_with_an_empty_challenge(self, harbor):
        answer = await harbor("GET", "/v2/nope/app/tags/list")

        assert (answer.status_code, code(answer)) == (401, "UNAUTHORIZED")
        assert answer.headers["www-authenticate"] == ""

    async def test_what_is_missing_is_not_found_and_in_the_api_nothing(self, harbor):
        for place in (f"{APP}/manifests/nope", "/v2/team/no/manifests/v1", "/v2/team/no/tags/list"):
            answer = await harbor("GET", place)
            assert (answer.status_code, code(answer)) == (404, "NOT_FOUND")

        place = "/api/v2.0/projects/team/repositories/no/artifacts?q=tags%3D*"
        answer = await harbor("GET", place)
        assert (answer.status_code, answer.json()) == (200, [])

    @pytest.mark.parametrize(
        ("name", "status", "word"),
        [
            ("one", 400, "BAD_REQUEST"),
            ("team/App", 401, "UNAUTHORIZED"),
            (f"team/{'a' * 260}", 500, "UNKNOWN"),
        ],
    )
    async def test_names_that_cannot_be(self, harbor, name, status, word):
        harbor.fake.projects.add("one")

        answer = await harbor("GET", f"/v2/{name}/manifests/v1")

        assert (answer.status_code, code(answer)) == (status, word)

    async def test_a_range_of_an_upload_is_passed_over(self, harbor):
        place = await harbor.opened()
        assert "_state=" in place

        answer = await harbor("PATCH", place, b"x" * 100, Content_Range="500-599")
        again = await harbor("PATCH", answer.headers["location"], b"y", Content_Range="0-0/*")

        assert (answer.status_code, answer.headers["range"]) == (202, "0-99")
        assert (again.status_code, again.headers["range"]) == (202, "0-100")

    async def test_the_place_before_a_part_is_no_session_any_more(self, harbor):
        place = await harbor.opened()
        await harbor("PATCH", place, b"x")

        for method in ("GET", "PATCH"):
            answer = await harbor(method, place, None if method == "GET" else b"y")
            assert (answer.status_code, code(answer)) == (404, "BLOB_UPLOAD_INVALID")

    async def test_parts_have_to_be_octets(self, harbor):
        place = await harbor.opened()

        answer = await harbor("PATCH", place, b"x", Content_Type="application/json")

        assert (answer.status_code, code(answer)) == (500, "UNKNOWN")

    async def test_a_blob_in_the_post_is_passed_over(self, harbor):
        answer = await harbor("POST", with_digest(f"{APP}/blobs/uploads/"), BLOB)

        assert answer.status_code == 202
        assert (await harbor("HEAD", f"{APP}/blobs/{DIGEST}")).status_code == 404

    async def test_a_blob_by_its_sha512_is_kept_by_its_sha256(self, harbor):
        by_512 = "sha512:" + hashlib.sha512(BLOB).hexdigest()

        answer = await harbor("PUT", with_digest(await harbor.opened(), by_512), BLOB)

        assert (answer.status_code, answer.headers["docker-content-digest"]) == (201, DIGEST)
        assert (await harbor("HEAD", f"{APP}/blobs/{by_512}")).status_code == 404

    async def test_a_wrong_digest(self, harbor):
        answer = await harbor("PUT", with_digest(await harbor.opened(), ABSENT), BLOB)

        assert (answer.status_code, code(answer)) == (400, "DIGEST_INVALID")

    async def test_mounts_within_a_project_need_no_right_to_the_source(self, harbor, http):
        await harbor("PUT", with_digest(await harbor.opened()), BLOB)
        base = harbor.fake.registry.url
        scope = "repository:team/new:pull,push", "repository:other/new:pull,push"
        answers = []
        for each in scope:
            token = await http.get(
                f"{base}/service/token?scope={each}", headers={"Authorization": BASIC}
            )
            path = each.split(":")[1]
            answers.append(
                await harbor(
                    "POST",
                    f"/v2/{path}/blobs/uploads/?mount={DIGEST}&from=team/app",
                    Authorization=f"Bearer {token.json()['token']}",
                )
            )

        assert [each.status_code for each in answers] == [201, 401]
        assert answers[1].headers["www-authenticate"] == 'Basic realm="harbor"'

    @pytest.mark.parametrize(
        "query", [f"mount={ABSENT}&from=team/app", "mount=x", "mount=x&from=y"]
    )
    async def test_a_mount_of_nothing_is_a_session(self, harbor, query):
        answer = await harbor("POST", f"{APP}/blobs/uploads/?{query}")

        assert answer.status_code == 202

    async def test_oci_is_given_to_those_alone_who_take_it(self, harbor):
        digest = harbor.storage.resolve("team/app", "v1")
        for reference in ("v1", digest):
            for accept in ("", "*/*", media_types.DOCKER_MANIFEST):
                answer = await harbor("GET", f"{APP}/manifests/{reference}", Accept=accept)
                assert (answer.status_code, code(answer)) == (404, "MANIFEST_UNKNOWN")

        answer = await harbor("HEAD", f"{APP}/manifests/v1", Accept=ALL_TYPES)
        assert answer.headers["docker-content-digest"] == str(digest)

    async def test_an_unchanged_manifest_is_304_without_its_digest(self, harbor):
        digest = harbor.storage.resolve("team/app", "v1")
        told = {}
        for known in (f'"{digest}"', f"{digest}", f'W/"{digest}"'):
            answer = await harbor(
                "HEAD", f"{APP}/manifests/v1", Accept=ALL_TYPES, If_None_Match=known
            )
            told[known] = answer.status_code, "docker-content-digest" in answer.headers

        assert list(told.values()) == [(304, False), (304, False), (200, True)]

    @pytest.mark.parametrize(
        ("body", "status"),
        [(b"{}", 500), (b" " * 5_000_000, 413), (b" " * 9_000_000, 502)],
    )
    async def test_what_is_no_manifest(self, harbor, body, status):
        answer = await harbor(
            "PUT", f"{APP}/manifests/v2", body, Content_Type=media_types.OCI_MANIFEST
        )

        assert answer.status_code == status

    async def test_a_missing_layer_is_the_detail(self, harbor):
        answer = await harbor(
            "PUT", f"{APP}/manifests/v2", lacking(), Content_Type=media_types.OCI_MANIFEST
        )

        assert (answer.status_code, code(answer)) == (400, "MANIFEST_BLOB_UNKNOWN")
        assert answer.json()["errors"][0]["detail"] == ABSENT

    async def test_an_immutable_tag_is_refused_for_what_it_names_as_well(self, harbor):
        harbor.fake.habits.immutable = {"v1"}
        content, kind = stored(harbor, "v1")

        answer = await harbor("PUT", f"{APP}/manifests/v1", content, Content_Type=kind)

        assert (answer.status_code, code(answer)) == (412, "PRECONDITION")

    async def test_a_full_quota_is_told_at_the_end(self, harbor):
        harbor.fake.habits.uploads.full = {"team"}

        place = await harbor.opened()
        answer = await harbor("PUT", with_digest(place), BLOB)

        assert (answer.status_code, code(answer)) == (403, "DENIED")

    async def test_tags_are_not_deleted_and_a_digest_takes_its_referrers_along(self, harbor):
        image = store_image(harbor.storage, "team/app", "v2", seed="two")
        referrer = store_artifact(harbor.storage, "team/app", subject=image)

        tag = await harbor("DELETE", f"{APP}/manifests/v2")
        digest = await harbor("DELETE", f"{APP}/manifests/{image.digest}")

        assert (tag.status_code, code(tag)) == (400, "UNSUPPORTED")
        assert digest.status_code == 202
        assert harbor.storage.tags("team/app") == ["v1"]
        assert harbor.storage.manifest("team/app", referrer.digest) is None

    async def test_a_child_of_an_index_is_not_deleted(self, harbor):
        store_index(harbor.storage, "team/app", "v2")
        child = manifest_of(harbor, "v2").manifests[0]

        answer = await harbor("DELETE", f"{APP}/manifests/{child.digest}")

        assert (answer.status_code, code(answer)) == (412, "VIOLATE_FOREIGN_KEY_CONSTRAINT")

    async def test_while_it_is_read_only(self, harbor):
        harbor.fake.habits.is_read_only = True

        answer = await harbor("POST", f"{APP}/blobs/uploads/")

        assert (answer.status_code, code(answer)) == (403, "DENIED")

    @pytest.mark.parametrize(("n", "status"), [("", 200), ("9999", 200), ("-1", 400), ("abc", 400)])
    async def test_pages_are_as_large_as_anybody_wants(self, harbor, n, status):
        for number in range(1200):
            harbor.storage.put_tag("team/app", f"t{number}", ABSENT)

        answer = await harbor("GET", f"{APP}/tags/list{n and f'?n={n}'}")

        assert answer.status_code == status
        assert status != 200 or len(answer.json()["tags"]) == 1201

    async def test_a_cache_denies_blobs_that_it_has_not_pulled(self, harbor):
        harbor.fake.proxies.projects.add("team")
        store_image(harbor.storage, "team/app", "v9", seed="nine")
        store_image(harbor.storage, "team/app", "v10", seed="ten")
        pulled, other = (manifest_of(harbor, tag).blobs[0].digest for tag in ("v9", "v10"))
        place = f"{APP}/blobs/{pulled}"

        statuses = [(await harbor(how, place)).status_code for how in ("HEAD", "GET", "HEAD")]
        harbor.fake.proxies.is_down = True
        down = await harbor("GET", f"{APP}/blobs/{other}")

        assert statuses == [404, 200, 200]
        assert (down.status_code, code(down)) == (500, "UNKNOWN")


class TestQuay:
    async def test_it_takes_no_password_at_the_registry(self, quay):
        answer = await quay("GET", "/v2/", Authorization=BASIC)

        assert (answer.status_code, answer.headers["content-type"]) == (
            401,
            "text/html; charset=utf-8",
        )
        assert answer.json() == {"error": "Invalid bearer token format"}
        assert answer.headers["www-authenticate"].startswith("Bearer realm=")

    @pytest.mark.parametrize(
        "scope",
        [
            "repository:team/app:pull repository:team/b:pull",
            "repository:team/app:delete",
            "registry:catalog:*",
        ],
    )
    async def test_its_token_service_refuses_what_it_does_not_know(self, quay, scope):
        answer = await quay("GET", f"/v2/auth?scope={scope}", Authorization=BASIC)

        assert (answer.status_code, code(answer)) == (400, "INVALID_REQUEST")

    async def test_a_wrong_password_locks_the_right_one(self, quay):
        place = "/v2/auth?scope=repository:team/app:pull"

        first = await quay("GET", place, Authorization=WRONG)
        second = await quay("GET", place, Authorization=BASIC)

        assert (first.status_code, code(first)) == (401, "UNAUTHORIZED")
        assert (second.status_code, second.headers["retry-after"]) == (429, "0")
        assert second.text.startswith("Too many login attempts")

    async def test_connections_are_kept_for_manifests_alone(self, quay):
        closes = {
            place: (await quay("GET", place)).headers.get("connection")
            for place in (f"{APP}/manifests/v1", f"{APP}/tags/list", "/v2/", "/api/v1/repository")
        }

        assert list(closes.values()) == [None, "close", "close", "close"]

    async def test_a_session_has_one_place_and_counts_one_too_many(self, quay):
        answer = await quay("POST", f"{APP}/blobs/uploads/")
        place = answer.headers["location"]
        assert (answer.status_code, answer.headers["range"]) == (202, "bytes=0--1")
        assert "?" not in place

        part = await quay("PATCH", place, b"x" * 100)
        status = await quay("GET", place)

        assert (part.status_code, part.headers["range"]) == (202, "0-99")
        assert (status.status_code, status.headers["range"]) == (204, "bytes=0-100")
        assert "location" not in status.headers

    @pytest.mark.parametrize(
        ("range_", "size", "status", "held"),
        [
            ("300-399", 100, 416, "0-200"),
            ("150-249", 100, 202, "0-249"),
            ("0-199", 200, 202, "0-399"),
            ("50-149", 100, 502, None),
            ("bytes 200-299/*", 100, 400, None),
            ("200-209", 100, 202, "0-209"),
        ],
    )
    async def test_ranges_of_an_upload_of_200_bytes(self, quay, range_, size, status, held):
        place = await quay.opened()
        await quay("PATCH", place, b"x" * 200)

        answer = await quay("PATCH", place, b"y" * size, Content_Range=range_)

        assert (answer.status_code, answer.headers.get("range")) == (status, held)

    async def test_a_blob_in_the_post_is_taken(self, quay):
        answer = await quay("POST", with_digest(f"{APP}/blobs/uploads/"), BLOB)

        assert answer.status_code == 201

    async def test_a_wrong_digest_is_an_invalid_upload(self, quay):
        by_512 = "sha512:" + hashlib.sha512(BLOB).hexdigest()
        for digest in (ABSENT, by_512):
            answer = await quay("PUT", with_digest(await quay.opened(), digest), BLOB)
            assert (answer.status_code, code(answer)) == (400, "BLOB_UPLOAD_INVALID")

    async def test_blobs_know_no_range_and_are_compressed_for_who_takes_that(self, quay):
        await quay("PUT", with_digest(await quay.opened()), BLOB)

        part = await quay("GET", f"{APP}/blobs/{DIGEST}", Range="bytes=5-")
        coded = await quay("GET", f"{APP}/blobs/{DIGEST}", Accept_Encoding="gzip")
        gone = await quay("DELETE", f"{APP}/blobs/{DIGEST}")

        assert (part.status_code, part.content) == (200, BLOB)
        assert coded.headers["content-encoding"] == "gzip"
        assert "content-length" not in coded.headers
        assert (gone.status_code, code(gone)) == (405, "UNSUPPORTED")

    async def test_a_mount_without_a_right_to_the_source_is_a_session(self, quay):
        place = f"{APP}/blobs/uploads/?mount={DIGEST}&from=team/other"

        assert (await quay("POST", place)).status_code == 202

    async def test_who_takes_no_oci_gets_another_manifest_by_tag(self, quay):
        digest = quay.storage.resolve("team/app", "v1")

        for accept in ("", "*/*", media_types.DOCKER_MANIFEST):
            answer = await quay("HEAD", f"{APP}/manifests/v1", Accept=accept)
            assert answer.status_code == 200
            assert answer.headers["docker-content-digest"] != str(digest)
            answer = await quay("HEAD", f"{APP}/manifests/{digest}", Accept=accept)
            assert answer.headers["docker-content-digest"] == str(digest)

    async def test_who_takes_no_index_gets_its_amd64_image(self, quay):
        store_index(quay.storage, "team/app", "v2")
        children = manifest_of(quay, "v2").manifests
        amd64 = next(each for each in children if each.platform.architecture == "amd64")

        answer = await quay("HEAD", f"{APP}/manifests/v2", Accept=media_types.OCI_MANIFEST)

        assert answer.headers["docker-content-digest"] == str(amd64.digest)

    async def test_the_old_digest_of_a_tag_is_gone_at_once(self, quay):
        old = quay.storage.resolve("team/app", "v1")
        store_image(quay.storage, "team/app", "v1", seed="new")

        answer = await quay("GET", f"{APP}/manifests/{old}", Accept=ALL_TYPES)

        assert (answer.status_code, code(answer)) == (404, "MANIFEST_UNKNOWN")

    @pytest.mark.parametrize(
        ("body", "kind", "status"),
        [
            (b"{}", media_types.OCI_MANIFEST, 400),
            (b"{}", f"{media_types.OCI_MANIFEST}; charset=utf-8", 415),
            (b" " * 1_100_000, media_types.OCI_MANIFEST, 413),
        ],
    )
    async def test_what_is_no_manifest(self, quay, body, kind, status):
        answer = await quay("PUT", f"{APP}/manifests/v2", body, Content_Type=kind)

        assert answer.status_code == status

    async def test_a_missing_layer_is_in_the_words_of_the_detail(self, quay):
        answer = await quay(
            "PUT", f"{APP}/manifests/v2", lacking(), Content_Type=media_types.OCI_MANIFEST
        )

        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["code"]) == (400, "MANIFEST_INVALID")
        assert error["detail"]["message"] == f"Unknown blob `{ABSENT}`"

    async def test_a_manifest_is_taken_without_a_word_of_its_subject(self, quay):
        image = store_image(quay.storage, "team/app", "v1")
        made = store_artifact(quay.storage, "team/app", subject=image)
        content = quay.storage.manifest("team/app", made.digest).content

        answer = await quay(
            "PUT", f"{APP}/manifests/{made.digest}", content, Content_Type=media_types.OCI_MANIFEST
        )

        assert (answer.status_code, answer.text) == (201, "OK")
        assert answer.headers["location"] == f"{APP}/manifests/{made.digest}"
        assert "oci-subject" not in answer.headers

    async def test_referrers_of_what_is_not_there_are_400(self, quay):
        image = store_image(quay.storage, "team/app", "v1")
        there = await quay("GET", f"{APP}/referrers/{image.digest}")
        absent = await quay("GET", f"{APP}/referrers/{ABSENT}")

        assert (there.status_code, there.json()["manifests"]) == (200, [])
        assert (absent.status_code, code(absent)) == (400, "MANIFEST_INVALID")

    async def test_deleted_tags_are_expired(self, quay):
        answers = [await quay("DELETE", f"{APP}/manifests/v1") for _ in range(2)]
        later = await quay("GET", f"{APP}/manifests/v1", Accept=ALL_TYPES)
        emptied = await quay("GET", f"{APP}/tags/list")

        assert [each.status_code for each in answers] == [202, 404]
        assert (later.status_code, code(later)) == (404, "TAG_EXPIRED")
        assert emptied.json()["tags"] == []

    async def test_an_immutable_tag_is_refused_for_what_it_names_as_well(self, quay):
        quay.fake.habits.immutable = {"v1"}
        content, kind = stored(quay, "v1")

        answers = [
            await quay("PUT", f"{APP}/manifests/v1", content, Content_Type=kind),
            await quay("DELETE", f"{APP}/manifests/v1"),
        ]

        assert [(each.status_code, code(each)) for each in answers] == [(409, "TAG_IMMUTABLE")] * 2

    async def test_a_full_quota_and_read_only_mode(self, quay):
        quay.fake.habits.full = {"team"}
        full = await quay("POST", f"{APP}/blobs/uploads/")
        quay.fake.habits.is_read_only = True
        closed = await quay("POST", f"{APP}/blobs/uploads/")

        assert (full.status_code, code(full)) == (403, "DENIED")
        assert (closed.status_code, code(closed)) == (405, "DENIED")
        assert closed.json()["errors"][0]["detail"] == {"is_readonly": True}

    @pytest.mark.parametrize(("n", "number"), [("", 100), ("1000", 100), ("0", 0), ("-1", 0)])
    async def test_pages_have_a_hundred_tags_at_most(self, quay, n, number):
        for each in range(150):
            quay.storage.put_tag("team/app", f"t{each:03}", ABSENT)

        answer = await quay("GET", f"{APP}/tags/list{n and f'?n={n}'}")

        assert len(answer.json()["tags"]) == number
        assert not number or answer.headers["link"] == (
            f'<{APP}/tags/list?n=100&last=t099>; rel="next"'
        )


def stored(wire, tag):
    """The manifest of a tag, and its type."""
    found = wire.storage.manifest("team/app", wire.storage.resolve("team/app", tag))
    return found.content, found.media_type


def manifest_of(wire, tag):
    return Manifest.parse(*stored(wire, tag))


def lacking():
    """A manifest whose config is not there."""
    blob = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": ABSENT, "size": 2}
    body = {"schemaVersion": 2, "mediaType": media_types.OCI_MANIFEST, "config": blob}
    return json.dumps({**body, "layers": []}).encode()
