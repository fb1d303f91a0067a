from __future__ import annotations

from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from replicator.errors import ConfigError, OutboundRefused
from replicator.registry.gate import Gate, Origin
from replicator.registry.settings import RegistrySettings, Tls

HOST = "registry.example.com"
SOURCE = httpx.URL(f"https://{HOST}/v2/team/app/blobs/uploads/1?_state=old")
PUBLIC = "93.184.216.34"


def gate(name: str = HOST, **settings) -> Gate:
    return Gate(RegistrySettings(name, **settings))


class TestOrigin:
    @pytest.mark.parametrize(
        ("name", "settings", "expected"),
        [
            ("registry.example.com", {}, "https://registry.example.com"),
            ("registry.example.com:5000", {}, "https://registry.example.com:5000"),
            ("registry.example.com:443", {}, "https://registry.example.com"),
            ("registry.example.com", {"plain_http": True}, "http://registry.example.com"),
            ("docker.io", {}, "https://registry-1.docker.io"),
            ("docker.io", {"endpoint": "https://mirror.example.com"}, "https://mirror.example.com"),
            ("a.example", {"endpoint": "http://b.example:80/"}, "http://b.example"),
            ("a.example", {"endpoint": "b.example:5000"}, "https://b.example:5000"),
            ("[::1]:5000", {}, "https://[::1]:5000"),
            ("localhost:5000", {}, "https://localhost:5000"),
            ("a.example:80", {"plain_http": True}, "http://a.example"),
            ("a.example:443", {"plain_http": True}, "http://a.example:443"),
        ],
    )
    def test_the_origin_is_where_the_api_is_served(self, name, settings, expected):
        assert str(gate(name, **settings).origin) == expected

    @pytest.mark.parametrize("url", ["https://a", "https://A:443/x?y", "HTTPS://a/"])
    def test_case_default_port_and_path_make_no_difference(self, url):
        assert Origin.of(httpx.URL(url)) == Origin("https", "a", 443)

    @pytest.mark.parametrize(
        "settings",
        [
            {"token_origins": ("auth.example.com",)},
            {"token_origins": ("ftp://auth.example.com",)},
            {"upload_origins": ("https://",)},
            {"upload_origins": ("https://user:pass@storage.example.com",)},
            {"endpoint": "https://a:b:c"},
            {"allowed_networks": ("10.0.0.1/8",)},
        ],
    )
    def test_settings_that_are_no_origin_or_network_are_refused(self, settings):
        with pytest.raises(ConfigError, match=next(iter(settings))):
            gate(**settings)


class TestPlainHttp:
    @pytest.mark.parametrize(
        "name", ["localhost:5000", "a.localhost", "127.0.0.1:5000", "[::1]:5000", "127.9.9.9"]
    )
    def test_a_host_on_this_machine_may_turn_out_to_speak_no_tls(self, name):
        subject = gate(name)

        subject.speak_plain_http()

        assert str(subject.origin) == f"http://{name}"

    @pytest.mark.parametrize(
        ("name", "settings"),
        [
            ("registry.example.com", {}),
            ("10.0.0.1:5000", {}),
            ("localhost.example.com", {}),
            ("localhost:5000", {"plain_http": False}),
            ("localhost:5000", {"endpoint": "https://localhost:5000"}),
            ("localhost:5000", {"endpoint": "registry.example.com"}),
        ],
    )
    def test_nobody_else_may(self, name, settings):
        subject = gate(name, **settings)

        with pytest.raises(OutboundRefused, match="does not speak TLS"):
            subject.speak_plain_http()

        assert subject.origin.scheme == "https"


# What an attacker may write where a URL is expected; none of it may lead anywhere.
ODD = [
    "https://registry.example.com@evil.example/",
    "https://user:password@registry.example.com/",
    "https://@registry.example.com/",
    "https://registry.example.com\\@evil.example/",
    "https:\\\\evil.example/",
    "\\\\evil.example/",
    "/\\evil.example/",
    "https://evil.example\t/",
    "https://evil.example\r\nX-Evil: 1",
    "https://evil.example/\x00",
    "https://evil.example/a b",
    " https://evil.example/",
    "https://evil.example/#fragment",
    "/path#fragment",
    "https://",
    "https:///path",
    "https:evil.example",
    "https:/evil.example",
    "https://registry.example.com:0/",
    "https://registry.example.com:99999/",
    "https://registry.example.com:port/",
    "https://registry%2eexample.com/",
    "https://registry.example.com%00.evil.example/",
    "https://[::1%25eth0]/",
    "https://[::1/",
    "https://[registry.example.com]/",
    "https://evil。example/",
    "https://ｒegistry.example.com/",
    "http://registry.example.com:8080/",
    "ftp://registry.example.com/",
    "file:///etc/passwd",
    "gopher://evil.example/",
    "javascript:alert(1)",
    "data:,x",
    "unix:///var/run/docker.sock",
]


class TestOddUrls:
    @pytest.mark.parametrize("text", ODD)
    def test_an_odd_url_is_refused_wherever_it_stands(self, text):
        subject = gate()

        with pytest.raises(OutboundRefused):
            subject.read_url(SOURCE, text)
        with pytest.raises(OutboundRefused):
            subject.upload_location(SOURCE, text)

    @pytest.mark.parametrize(
        "url",
        [
            "http://registry.example.com/v2/",
            "https://user@registry.example.com/",
            "https://registry.example.com/#x",
            "https://registry.example.com:0/",
            "ftp://registry.example.com/",
            "https:///v2/",
            "/v2/",
        ],
    )
    def test_a_request_to_an_odd_url_does_not_leave(self, url):
        with pytest.raises(OutboundRefused):
            gate().check(httpx.URL(url))

    def test_a_refusal_names_the_registry_and_shows_no_query(self):
        with pytest.raises(OutboundRefused) as refusal:
            gate().read_url(SOURCE, "http://evil.example/?signature=canary")

        assert HOST in str(refusal.value)
        assert "http://evil.example" in str(refusal.value)
        assert refusal.value.registry == HOST
        assert "canary" not in str(refusal.value)

    @example("//evil.example:443/")
    @example("https://evil.example:443:/")
    @example("?" + "%" * 50)
    @given(st.text() | st.from_regex(r"(https?:)?//[a-z0-9.:@\[\]\\/?#%-]*"))
    def test_what_passes_is_a_plain_url_that_every_parser_reads_alike(self, text):
        try:
            url = gate().read_url(SOURCE, text)
        except OutboundRefused:
            return
        parts = urlsplit(str(url))
        assert parts.scheme == "https"
        assert parts.hostname == url.raw_host.decode("ascii")
        assert parts.username is None
        assert not parts.fragment
        assert parts.port != 0


class TestCredentials:
    @pytest.mark.parametrize(
        "url",
        [
            "https://registry.example.com/v2/",
            "https://registry.example.com:443/elsewhere?x",
            "https://REGISTRY.example.com/v2/",
        ],
    )
    def test_they_may_go_to_the_own_origin(self, url):
        assert gate().may_carry_credentials(httpx.URL(url))

    @pytest.mark.parametrize(
        "url",
        [
            "http://registry.example.com/v2/",
            "https://registry.example.com:8443/v2/",
            "https://registry.example.com./v2/",
            "https://example.com/v2/",
            "https://a.registry.example.com/v2/",
            "https://registry.example.com.evil.example/v2/",
            "https://evil.example/?registry.example.com",
            "https://xn--registry-example-com/",
        ],
    )
    def test_they_go_to_no_other(self, url):
        assert not gate().may_carry_credentials(httpx.URL(url))

    def test_an_origin_for_uploads_is_no_origin_for_credentials(self):
        subject = gate(upload_origins=("https://storage.example.com",))

        assert not subject.may_carry_credentials(httpx.URL("https://storage.example.com/"))


class TestRedirects:
    def test_storage_elsewhere_is_fine(self):
        gate().check_redirect(
            SOURCE, httpx.URL("https://bucket.s3.amazonaws.com/x?X-Amz-Signature=1")
        )

    def test_an_odd_target_is_refused_here_too(self):
        with pytest.raises(OutboundRefused):
            gate().check_redirect(SOURCE, httpx.URL("https://user@storage.example.com/"))

    @pytest.mark.parametrize("target", ["http://registry.example.com/", "http://evil.example/"])
    def test_tls_is_not_left(self, target):
        with pytest.raises(OutboundRefused):
            gate().check_redirect(SOURCE, httpx.URL(target))

    def test_tls_is_not_left_on_the_way_even_if_the_registry_has_none(self):
        with pytest.raises(OutboundRefused, match="plain text"):
            gate(plain_http=True).check_redirect(
                httpx.URL("https://storage.example.com/"), httpx.URL("http://storage.example.com/")
            )

    def test_a_registry_without_tls_may_have_its_storage_without(self):
        gate(plain_http=True).check_redirect(
            httpx.URL(f"http://{HOST}/"), httpx.URL("http://storage.example.com/")
        )


class TestUploadLocations:
    @pytest.mark.parametrize(
        ("location", "expected"),
        [
            ("/v2/team/app/blobs/uploads/2", f"https://{HOST}/v2/team/app/blobs/uploads/2"),
            ("2?_state=new", f"https://{HOST}/v2/team/app/blobs/uploads/2?_state=new"),
            ("?_state=new", f"https://{HOST}/v2/team/app/blobs/uploads/1?_state=new"),
            (f"https://{HOST}/u", f"https://{HOST}/u"),
            (f"https://{HOST}:443/u", f"https://{HOST}/u"),
            (f"//{HOST}/u", f"https://{HOST}/u"),
            (f"http://{HOST}/u?a=%2F", f"https://{HOST}/u?a=%2F"),
            (f"http://{HOST}:80/u", f"https://{HOST}/u"),
        ],
    )
    def test_it_is_resolved_and_stays_on_tls(self, location, expected):
        assert str(gate().upload_location(SOURCE, location)) == expected

    @pytest.mark.parametrize(
        ("settings", "location", "expected"),
        [
            ({}, "https://registry.example.com/u", "https://registry.example.com:5000/u"),
            ({}, "http://registry.example.com/u", "https://registry.example.com:5000/u"),
            ({}, "http://registry.example.com:5000/u", "https://registry.example.com:5000/u"),
            (
                {"plain_http": True},
                "http://registry.example.com/u",
                "http://registry.example.com:5000/u",
            ),
        ],
    )
    def test_a_port_that_a_proxy_lost_is_put_back(self, settings, location, expected):
        subject = gate("registry.example.com:5000", **settings)
        source = httpx.URL(f"{subject.origin}/v2/a/blobs/uploads/")

        assert str(subject.upload_location(source, location)) == expected

    @pytest.mark.parametrize(
        "location",
        [
            "https://evil.example/u",
            "//evil.example/u",
            "https://registry.example.com:8443/u",
            "https://registry.example.com.evil.example/u",
            "https://storage.example.com:444/u",
            "http://storage.example.com/u",
        ],
    )
    def test_another_origin_is_refused(self, location):
        with pytest.raises(OutboundRefused):
            gate(upload_origins=("https://storage.example.com",)).upload_location(SOURCE, location)

    def test_the_refusal_says_what_to_configure(self):
        with pytest.raises(
            OutboundRefused, match=r'upload_origins = \["https://storage\.example\.com"\]'
        ):
            gate().upload_location(SOURCE, "https://storage.example.com/u?signature=canary")

    def test_a_listed_origin_is_allowed_and_keeps_its_query(self):
        subject = gate(upload_origins=("https://storage.example.com",))

        location = subject.upload_location(SOURCE, "https://storage.example.com/u?sig=a%2Bb%3D")

        assert str(location) == "https://storage.example.com/u?sig=a%2Bb%3D"

    def test_a_registry_without_tls_is_not_put_in_the_place_of_one_with_it(self):
        with pytest.raises(OutboundRefused, match="upload_origins"):
            gate(plain_http=True).upload_location(
                httpx.URL(f"http://{HOST}/v2/"), f"https://{HOST}/u"
            )

    # What may stand in a query unescaped (RFC 3986), and escapes in both cases.
    @given(
        st.from_regex(r"(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2}){1,60}", fullmatch=True)
    )
    def test_the_bytes_of_the_query_stay_as_they_are(self, query):
        location = gate().upload_location(SOURCE, f"http://{HOST}/u?{query}")

        assert location.raw_path == f"/u?{query}".encode()


class TestNextPages:
    PAGE = httpx.URL(f"https://{HOST}/v2/team/app/tags/list?n=100")

    @pytest.mark.parametrize(
        "target",
        [
            "/v2/team/app/tags/list?last=a%2Fb&n=100",
            f"https://{HOST}/v2/team/app/tags/list?last=a%2Fb&n=100",
            "?last=a%2Fb&n=100",
            "/v2/app/tags/list?last=a%2Fb&n=100",
            "http://internal:8081/service/rest/v2/app/tags/list?last=a%2Fb&n=100",
            "https://evil.example/?last=a%2Fb&n=100",
        ],
    )
    def test_nothing_but_the_query_is_taken(self, target):
        page = gate().next_page(self.PAGE, target)

        assert str(page) == f"https://{HOST}/v2/team/app/tags/list?last=a%2Fb&n=100"

    @given(st.text())
    def test_it_stays_at_its_place_whatever_a_registry_says(self, target):
        try:
            page = gate().next_page(self.PAGE, target)
        except OutboundRefused:
            return
        assert page.copy_with(query=None) == self.PAGE.copy_with(query=None)


class TestRealms:
    @pytest.mark.parametrize(
        "realm",
        [
            "https://registry.example.com/token",
            "https://auth.example.com/token?x=y",
            "https://profile.example.com/",
        ],
    )
    def test_credentials_go_to_the_registry_and_to_named_token_origins(self, realm):
        subject = Gate(
            RegistrySettings(HOST, token_origins=("https://auth.example.com",)),
            ("https://profile.example.com",),
        )

        subject.check_realm(httpx.URL(realm), with_credentials=True)

    # S-01: none of these may learn the credentials of registry.example.com.
    REALMS = (
        "https://evil.example/token",
        "https://example.com/token",
        "https://auth.example.com.evil.example/token",
        "https://registry.example.com.evil.example/token",
        "https://registry.example.com:8443/token",
        "https://registry.example.com:80/token",
        "https://auth.example.com:444/token",
        "https://xauth.example.com/token",
        "https://a.auth.example.com/token",
        "https://registry.example.com./token",
        "https://127.0.0.1/token",
        "https://[::1]/token",
        "https://169.254.169.254/latest/meta-data",
        "https://localhost/token",
        "https://evil.example/?https://registry.example.com",
        "https://evil.example/registry.example.com",
    )

    @pytest.mark.parametrize("realm", REALMS)
    def test_they_go_to_no_other(self, realm):
        subject = gate(token_origins=("https://auth.example.com",))

        with pytest.raises(OutboundRefused, match="not trusted with the credentials"):
            subject.check_realm(httpx.URL(realm), with_credentials=True)

    def test_the_refusal_says_what_to_configure(self):
        with pytest.raises(
            OutboundRefused, match=r'token_origins = \["https://auth\.example\.com"\]'
        ):
            gate().check_realm(httpx.URL("https://auth.example.com/token"), with_credentials=True)

    def test_without_credentials_there_is_nothing_to_lose(self):
        gate().check_realm(httpx.URL("https://auth.example.com/token"), with_credentials=False)

    @pytest.mark.parametrize("with_credentials", [True, False])
    def test_a_registry_with_tls_has_no_token_service_without(self, with_credentials):
        with pytest.raises(OutboundRefused, match="plain-text"):
            gate(token_origins=("http://auth.example.com",)).check_realm(
                httpx.URL("http://auth.example.com/"), with_credentials=with_credentials
            )


class TestAddresses:
    OWN = httpx.URL(f"https://{HOST}/v2/")
    OTHER = httpx.URL("https://storage.example.com/x")

    def connect(self, subject: Gate, url: httpx.URL, address: str) -> None:
        guard = subject.address_guard(url)
        assert guard is not None
        guard(address)

    @pytest.mark.parametrize("address", [PUBLIC, "10.0.0.1", "127.0.0.1", "::1", "169.254.1.1"])
    def test_the_registry_itself_may_be_anywhere(self, address):
        self.connect(gate(), self.OWN, address)

    @pytest.mark.parametrize("own", [None, PUBLIC])
    @pytest.mark.parametrize(
        "address",
        [
            "127.0.0.1",
            "::1",
            "10.0.0.1",
            "100.64.0.1",
            "169.254.169.254",
            "fd00::1",
            "0.1.2.3",
            "::ffff:127.0.0.1",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "2001::1",
            "224.0.0.1",
            "nonsense",
        ],
    )
    def test_a_public_registry_names_public_hosts_only(self, own, address):
        subject = gate()
        if own is not None:
            self.connect(subject, self.OWN, own)
        self.connect(subject, self.OTHER, PUBLIC)

        with pytest.raises(OutboundRefused, match="allowed_networks"):
            self.connect(subject, self.OTHER, address)

    def test_a_private_registry_may_have_its_storage_next_to_it(self):
        subject = gate()
        self.connect(subject, self.OWN, "10.0.0.1")

        self.connect(subject, self.OTHER, "192.168.0.1")

    @pytest.mark.parametrize(
        "address", ["127.0.0.1", "169.254.169.254", "fd00:ec2::254", "fe80::1"]
    )
    def test_a_private_registry_reaches_neither_this_machine_nor_the_metadata_service(
        self, address
    ):
        subject = gate()
        self.connect(subject, self.OWN, "10.0.0.1")

        with pytest.raises(OutboundRefused):
            self.connect(subject, self.OTHER, address)

    def test_a_registry_on_this_machine_does_not_reach_the_metadata_service(self):
        subject = gate()
        self.connect(subject, self.OWN, "127.0.0.1")
        self.connect(subject, self.OTHER, "127.0.0.2")

        with pytest.raises(OutboundRefused):
            self.connect(subject, self.OTHER, "169.254.169.254")

    def test_a_listed_network_is_allowed(self):
        subject = gate(allowed_networks=("169.254.169.0/24", "10.1.0.0/16"))

        self.connect(subject, self.OTHER, "10.1.2.3")
        self.connect(subject, self.OTHER, "169.254.169.254")
        with pytest.raises(OutboundRefused):
            self.connect(subject, self.OTHER, "10.2.2.3")

    @pytest.mark.parametrize("settings", [{"plain_http": True}, {"tls": Tls(verify=False)}])
    def test_a_name_that_moves_inside_is_refused_where_no_certificate_proves_it(self, settings):
        subject = gate(**settings)
        own = httpx.URL(f"{subject.origin}/v2/")
        self.connect(subject, own, PUBLIC)

        with pytest.raises(OutboundRefused, match="first led to a public address"):
            self.connect(subject, own, "127.0.0.1")

    def test_a_host_that_is_public_on_one_side_and_private_on_the_other_works_with_tls(self):
        subject = gate()

        for address in (PUBLIC, "10.0.0.1", PUBLIC):
            self.connect(subject, self.OWN, address)

    def test_without_a_certificate_a_registry_may_stay_where_it_is(self):
        public, private = gate(plain_http=True), gate(plain_http=True)
        own = httpx.URL(f"{public.origin}/v2/")

        for address in (PUBLIC, "8.8.8.8"):
            self.connect(public, own, address)
        for address in ("10.0.0.1", "10.0.0.2", PUBLIC):
            self.connect(private, own, address)

    def test_it_may_also_move_to_a_listed_network(self):
        subject = gate(plain_http=True, allowed_networks=("10.0.0.0/8",))
        own = httpx.URL(f"{subject.origin}/v2/")
        self.connect(subject, own, PUBLIC)

        self.connect(subject, own, "10.0.0.1")

    def test_a_registry_at_a_special_address_does_not_lead_to_others(self):
        subject = gate()
        self.connect(subject, self.OWN, "169.254.1.1")

        with pytest.raises(OutboundRefused):
            self.connect(subject, self.OTHER, "169.254.169.254")

    @pytest.mark.parametrize("networks", [(), ("10.0.0.0/8",)])
    def test_an_address_that_cannot_be_read_is_in_no_network(self, networks):
        with pytest.raises(OutboundRefused):
            self.connect(gate(allowed_networks=networks), self.OTHER, "nonsense")

    def test_a_registry_that_turns_out_to_be_public_has_no_private_storage(self):
        subject = gate()
        self.connect(subject, self.OWN, "10.0.0.1")
        self.connect(subject, self.OWN, PUBLIC)

        with pytest.raises(OutboundRefused):
            self.connect(subject, self.OTHER, "10.0.0.1")

    def test_a_registry_that_was_public_once_has_no_private_storage(self):
        subject = gate()
        self.connect(subject, self.OWN, PUBLIC)
        self.connect(subject, self.OWN, "10.0.0.1")

        with pytest.raises(OutboundRefused):
            self.connect(subject, self.OTHER, "10.0.0.1")

    def test_behind_a_proxy_it_is_the_proxy_that_decides(self):
        assert gate(proxy="http://proxy.example.com:3128").address_guard(self.OTHER) is None
