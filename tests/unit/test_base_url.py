"""Where a token may be sent: by https, or to this machine itself."""

import pytest

from pipeline.service.settings import check_base_url


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com",
        "https://api.example.com:8443/prefix",
        "http://localhost:8000",
        "http://127.0.0.1",
        "http://127.8.9.10:1/v1",
        "http://[::1]:8000",
    ],
)
def test_what_may_be_reached(url: str) -> None:
    assert check_base_url(url) == url
    assert check_base_url(f"{url}/") == url


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com",
        "http://api.example.com:8080",
        "http://192.0.2.7:8000/v1",
        "http://0.0.0.0:8000",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com:80",
    ],
)
def test_a_token_never_travels_readable_to_another_machine(url: str) -> None:
    with pytest.raises(ValueError, match="https"):
        check_base_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "api.example.com",
        "ftp://api.example.com",
        "https://",
        "https://user:word@api.example.com",
        "https://api.example.com?a=b",
        "https://api.example.com#x",
        "https://api.example.com:99999",
        "https://api.example.com:0",
    ],
)
def test_what_is_no_address_of_an_api(url: str) -> None:
    with pytest.raises(ValueError, match="must look like"):
        check_base_url(url)
