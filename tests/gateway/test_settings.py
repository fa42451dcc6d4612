"""Settings: defaults, what is refused and how, what comes from where."""

from pathlib import Path

import pytest

from gateway.settings import Settings, find_strangers
from gateway.trouble import StartError


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder without a .env, and an environment without our variables."""
    monkeypatch.chdir(tmp_path)
    for name in (
        "HOST",
        "PORT",
        "PUBLIC_URL",
        "DATABASE_URL",
        "CROSSWALK_SANDBOX",
        "CROSSWALK_DATA",
        "PIPEDRIVE_API_URL",
        "PIPEDRIVE_CLIENT_ID",
        "RETURN_ORIGINS",
    ):
        monkeypatch.delenv(name, raising=False)


def test_defaults() -> None:
    settings = Settings.load()
    assert (settings.address, settings.database_url, settings.api_urls) == ("http://127.0.0.1:8000", None, {})


def test_a_file_that_is_no_text_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(b"\xff\xfe")
    with pytest.raises(StartError, match="is no text in UTF-8"):
        Settings.load()


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("PORT", "http", "PORT: got 'http', but takes a port from 0 to 65535; 0 takes any free one"),
        ("PLANS", "{}x", "PLANS: got '{}x', but takes JSON, as"),
        ("PLANS", '{"BUSINES": {}}', "PLANS: got '{\"BUSINES\": {}}', but takes JSON"),
        ("PLANS", '{"FREE": {"crms": ["SALES"]}}', "PLANS: got"),
        ("PLANS", '{"FREE": {"integrations": -1}}', "PLANS: got"),
        ("PLANS", '{"FREE": {"seats": 1}}', "PLANS: got"),
        ("PLANS", "[]", "PLANS: got"),
        ("OIDC_ISSUER", "https://id.example", "OIDC_AUDIENCE: got 'nothing', but takes the audience"),
        ("COST_BUDGET", "9999", "COST_BUDGET: got 9999, but takes MAX_COST or more"),
        ("INTROSPECTION", "maybe", "INTROSPECTION: got 'maybe', but takes 1 or 0"),
        ("PUBLIC_URL", "crosswalk.example", "PUBLIC_URL: got 'crosswalk.example', but takes the http(s) address"),
        (
            "DATABASE_URL",
            "mysql://u:hidden@h/d",
            "DATABASE_URL: got a value that is not repeated here, but takes postgresql:",
        ),
        ("DATABASE_URL", "postgresql://u:hidden%zz@h/d", "DATABASE_URL: got a value that is not repeated here"),
        ("DATABASE_URL", "postgresql://u:hidden/x@h/d", "DATABASE_URL: got a value that is not repeated here"),
        ("DATABASE_URL", "postgresql://u:x@hidden@h/d", "DATABASE_URL: got a value that is not repeated here"),
        ("REDIS_URL", "http://u:hidden@h", "REDIS_URL: got a value that is not repeated here, but takes redis://"),
        ("DEFAULT_REGION", "Europe", "DEFAULT_REGION: got 'Europe', but takes an ISO country"),
        ("CROSSWALK_SANDBOX", "maybe", "CROSSWALK_SANDBOX: got 'maybe', but takes 1 or 0"),
        (
            "RETURN_ORIGINS",
            "app.example",
            "RETURN_ORIGINS: got 'app.example', but takes origins, as https://app.example,",
        ),
        ("RETURN_ORIGINS", "https://a.example,https://b.example/x", "RETURN_ORIGINS: got 'https://a.example,"),
        ("RETURN_ORIGINS", "https://me@a.example", "RETURN_ORIGINS: got 'https://me@a.example', but takes"),
        ("RETURN_ORIGINS", "*", "RETURN_ORIGINS: got '*', but takes origins"),
        ("LOG_LEVEL", "loud", "LOG_LEVEL: got 'loud', but takes debug, info, warning or error"),
        (
            "PIPEDRIVE_API_URL",
            "nowhere",
            "PIPEDRIVE_API_URL: got 'nowhere', but takes an http(s) address that stands in",
        ),
    ],
)
def test_a_wrong_value_is_one_line(monkeypatch: pytest.MonkeyPatch, name: str, value: str, line: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(StartError) as refused:
        Settings.load()
    assert len(refused.value.lines) == 1
    assert refused.value.lines[0].startswith(line)
    assert "hidden" not in str(refused.value)


def test_the_environment_wins_over_the_file_and_empty_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("PORT=8100\nSANDBOX_PORT=8101\nPIPEDRIVE_CLIENT_ID=from-file\n")
    monkeypatch.setenv("PORT", "8200")
    monkeypatch.setenv("PUBLIC_URL", "")
    settings = Settings.load()
    assert (settings.port, settings.sandbox_port, settings.public_url) == (8200, 8101, None)
    assert settings.vendors["PIPEDRIVE"].client_id == "from-file"


def test_the_sandbox_stands_in_only_while_it_is_on(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.load(sandbox_port=9001).api_urls == {}
    assert Settings.load(crosswalk_sandbox=True, sandbox_port=9001).api_urls["PIPEDRIVE"] == (
        "http://127.0.0.1:9001/pipedrive"
    )
    monkeypatch.setenv("PIPEDRIVE_API_URL", "http://127.0.0.1:9/crm/")
    assert Settings.load(crosswalk_sandbox=True).api_urls["PIPEDRIVE"] == "http://127.0.0.1:9/crm"


def test_the_sandbox_is_for_this_machine_only() -> None:
    elsewhere = "0.0.0.0"  # noqa: S104 # nothing listens
    with pytest.raises(
        StartError, match=r"HOST: got '0\.0\.0\.0', but takes .*; only 127\.0\.0\.1, ::1 or localhost while"
    ):
        Settings.load(host=elsewhere, crosswalk_sandbox=True)
    assert not Settings.load(host=elsewhere).is_open
    assert not Settings.load().is_open
    assert Settings.load(crosswalk_sandbox=True).is_open


def test_origins_have_one_spelling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RETURN_ORIGINS", " https://APP.example:443/, http://localhost:3000 ,https://app.example,")
    assert Settings.load().return_origins == "https://app.example,http://localhost:3000"


def test_the_sandbox_takes_any_oauth_client(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings.load().oauth_clients == {}
    made_up = ("crosswalk-sandbox", "crosswalk-sandbox")
    assert Settings.load(crosswalk_sandbox=True).oauth_clients["PIPEDRIVE"] == made_up
    monkeypatch.setenv("PIPEDRIVE_CLIENT_ID", "mine")
    assert Settings.load().oauth_clients == {}
    monkeypatch.setenv("PIPEDRIVE_CLIENT_SECRET", "hush")
    for given in (Settings.load(), Settings.load(crosswalk_sandbox=True)):
        assert given.oauth_clients["PIPEDRIVE"] == ("mine", "hush")
        assert "hush" not in repr(given)


def test_a_variable_that_nothing_reads_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CROSSWALK_SANDBOXES", "1")
    assert find_strangers() == ["CROSSWALK_SANDBOXES"]
