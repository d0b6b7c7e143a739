"""Photos in a real S3 server: what it refuses of a changed upload, and what is found out when a photo is used."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
import uuid
from base64 import b64encode
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from gateway.auth.protocols import Caller
from gateway.errors import ImageHashMismatchError, StorageUnavailableError, UrlExpiredError, UrlSignatureError
from gateway.metrics import Metrics
from gateway.uploads import sigv4
from gateway.uploads.protocols import ObjectPath
from gateway.uploads.remote import open_remote
from gateway.uploads.s3 import S3Storage
from gateway.uploads.secret_files import SecretFiles
from gateway.uploads.service import UploadService
from tests.gateways import ALICE, BOB, Gateway, SigningKey, parts_with, plenty, png, serve, settings_in, sha256
from tests.seaweed import BUCKET, KEY_ID, REGION, SECRET

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from frond.types import UploadTicket
    from tests.gateways import FakeDiagnoser
    from tests.integration.gateway.conftest import Database
    from tests.seaweed import Seaweed


@pytest.fixture
def keys(tmp_path: Path) -> SecretFiles:
    (tmp_path / "key-id").write_text(KEY_ID + "\n")
    (tmp_path / "secret").write_text(SECRET + "\n")
    return SecretFiles(tmp_path / "key-id", tmp_path / "secret")


@pytest.fixture
async def storage(seaweed: Seaweed, keys: SecretFiles) -> AsyncIterator[S3Storage]:
    async with open_remote(allow_private=True) as remote:
        yield S3Storage(remote, seaweed.endpoint + "/", BUCKET, REGION, keys)


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(trust_env=False, timeout=30) as opened:
        yield opened


@pytest.fixture
async def gateway(
    tmp_path: Path, seaweed: Seaweed, keys: SecretFiles, shared_database: Database, diagnoser: FakeDiagnoser
) -> AsyncIterator[Gateway]:
    key = SigningKey()
    settings = settings_in(
        tmp_path,
        key,
        database_url=shared_database.gateway_url,
        storage="s3",
        storage_allow_private_addresses=True,
        s3_endpoint=seaweed.endpoint,
        s3_bucket=BUCKET,
        s3_access_key_id_file=tmp_path / "key-id",
        s3_secret_access_key_file=tmp_path / "secret",
    )
    async with serve(settings, parts_with(diagnoser)) as opened:
        yield Gateway(opened, key, settings)


def new_photo() -> bytes:
    return png(metadata=uuid.uuid4().bytes)


def path_of(photo: bytes, user: uuid.UUID = ALICE) -> ObjectPath:
    return ObjectPath(user, sha256(photo), "image/png")


def checksum(photo: bytes) -> str:
    return b64encode(hashlib.sha256(photo).digest()).decode()


def s3_code(response: httpx2.Response) -> str:
    found = re.search(r"<Code>(\w+)</Code>", response.text)
    return found[1] if found else response.text


async def put(client: httpx2.AsyncClient, ticket: UploadTicket, photo: bytes, **headers: str) -> httpx2.Response:
    return await client.put(str(ticket.upload_url), content=photo, headers=ticket.upload_headers | headers)


async def uploaded(storage: S3Storage, client: httpx2.AsyncClient, photo: bytes) -> UploadTicket:
    ticket = await storage.ticket(path_of(photo), len(photo))
    assert (await put(client, ticket, photo)).status_code == 200
    return ticket


async def test_an_uploaded_photo_can_be_read_and_downloaded(storage: S3Storage, client: httpx2.AsyncClient) -> None:
    photo = new_photo()
    ticket = await uploaded(storage, client, photo)
    assert await storage.read(path_of(photo), len(photo)) == photo
    downloaded = await client.get(str(ticket.download_url))
    assert downloaded.content == photo
    assert downloaded.headers["content-type"] == "image/png"


async def test_the_same_photo_can_be_uploaded_twice(storage: S3Storage, client: httpx2.AsyncClient) -> None:
    photo = new_photo()
    ticket = await uploaded(storage, client, photo)
    assert (await put(client, ticket, photo)).status_code == 200


@pytest.mark.parametrize("changed", ["shorter", "longer", "other bytes", "other bytes and their hash"])
async def test_the_server_refuses_other_bytes_than_the_announced_ones(
    storage: S3Storage, client: httpx2.AsyncClient, changed: str
) -> None:
    photo = new_photo()
    other = bytes(len(photo))
    sent = {"shorter": photo[:-1], "longer": photo + b"x"}.get(changed, other)
    headers = {"x-amz-checksum-sha256": checksum(other)} if changed.endswith("hash") else {}
    response = await put(client, await storage.ticket(path_of(photo), len(photo)), sent, **headers)
    assert s3_code(response) in {"BadDigest", "SignatureDoesNotMatch"}
    assert await storage.read(path_of(photo), len(photo)) is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/html"},
        {"x-amz-checksum-sha256": ""},
        {"x-amz-acl": "public-read"},
        {"x-amz-meta-note": "x"},
        {"x-amz-content-sha256": "UNSIGNED-PAYLOAD", "x-amz-checksum-sha256": checksum(b"")},
    ],
    ids=lambda headers: next(iter(headers)),
)
async def test_the_server_refuses_other_headers_than_the_tickets(
    storage: S3Storage, client: httpx2.AsyncClient, headers: dict[str, str]
) -> None:
    photo = new_photo()
    response = await put(client, await storage.ticket(path_of(photo), len(photo)), photo, **headers)
    assert (response.status_code, s3_code(response)) == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize(
    ("part", "changed"),
    [(f"{ALICE}/", f"{BOB}/"), (".png", ".jpg"), ("Expires=900", "Expires=9000"), ("Signature=", "Signature=0")],
)
async def test_the_server_refuses_whatever_is_changed_in_the_url(
    storage: S3Storage, client: httpx2.AsyncClient, part: str, changed: str
) -> None:
    photo = new_photo()
    ticket = await storage.ticket(path_of(photo), len(photo))
    url = str(ticket.upload_url).replace(part, changed)
    assert url != str(ticket.upload_url)
    response = await client.put(url, content=photo, headers=ticket.upload_headers)
    assert (response.status_code, s3_code(response)) == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize("method", ["GET", "DELETE", "POST", "HEAD"])
async def test_an_upload_url_allows_nothing_else(storage: S3Storage, client: httpx2.AsyncClient, method: str) -> None:
    photo = new_photo()
    ticket = await uploaded(storage, client, photo)
    response = await client.request(method, str(ticket.upload_url), headers=ticket.upload_headers)
    assert response.status_code in {400, 403, 405}
    assert await storage.read(path_of(photo), len(photo)) == photo


async def test_the_server_refuses_an_upload_after_its_time(
    storage: S3Storage, client: httpx2.AsyncClient, seaweed: Seaweed
) -> None:
    photo = new_photo()
    headers = {"Content-Type": "image/png", "Content-Length": str(len(photo)), "x-amz-checksum-sha256": checksum(photo)}
    then = time.strftime(sigv4.TIMESTAMP, time.gmtime(time.time() - 100))
    signer = sigv4.Signer((KEY_ID, SECRET), REGION)
    place = f"{seaweed.endpoint}/{BUCKET}/{path_of(photo)}"
    for seconds, status in ((99, 403), (1000, 200)):
        url = signer.url("PUT", place, headers, seconds=seconds, timestamp=then)
        assert (await client.put(url, content=photo, headers=headers)).status_code == status


async def test_a_download_url_is_verified_here_before_anything_is_fetched(
    storage: S3Storage, keys: SecretFiles, seaweed: Seaweed
) -> None:
    photo = new_photo()
    path = path_of(photo)
    ticket = await storage.ticket(path, len(photo))
    good = str(ticket.download_url)
    storage.verify(path, good)
    forged = [
        good.replace("Expires=3600", "Expires=36000"),
        good.partition("?")[0],
        good + "&x=y",
        good.replace(KEY_ID, "AKIDOTHER"),
        good[:-1] + ("0" if good[-1] != "0" else "1"),
        str(ticket.upload_url),
    ]
    for url in forged:
        with pytest.raises(UrlSignatureError):
            storage.verify(path, url)
    with pytest.raises(UrlSignatureError):
        storage.verify(path_of(photo, BOB), good)


async def test_a_download_url_ends_after_its_hour(storage: S3Storage, seaweed: Seaweed) -> None:
    path = path_of(new_photo())
    then = time.strftime(sigv4.TIMESTAMP, time.gmtime(time.time() - 3605))
    signer = sigv4.Signer((KEY_ID, SECRET), REGION)
    place = f"{seaweed.endpoint}/{BUCKET}/{path}"
    with pytest.raises(UrlExpiredError):
        storage.verify(path, signer.url("GET", place, {}, seconds=3600, timestamp=then))


@pytest.mark.parametrize(
    "url",
    [
        "https{rest}",
        "http://user@{host}/photos/{path}",
        "http://{host}:80/photos/{path}",
        "http{rest}/",
        "{endpoint}/other/{path}",
        "{endpoint}/photos/x/{path}",
        "{endpoint}/photos/{path}#x",
        "{endpoint}.evil.test/photos/{path}",
        "http://169.254.169.254/photos/{path}",
    ],
)
async def test_only_urls_of_the_configured_bucket_name_a_photo(storage: S3Storage, seaweed: Seaweed, url: str) -> None:
    path = path_of(new_photo())
    rest = seaweed.endpoint.removeprefix("http") + f"/photos/{path}"
    assert storage.locate(f"http{rest}?x") == path
    assert (
        storage.locate(url.format(rest=rest, host=seaweed.endpoint[7:], endpoint=seaweed.endpoint, path=path)) is None
    )


async def test_a_photo_that_was_never_uploaded_is_not_there(storage: S3Storage) -> None:
    assert await storage.read(path_of(new_photo()), 100) is None


async def test_a_missing_bucket_is_no_missing_photo(seaweed: Seaweed, keys: SecretFiles) -> None:
    async with open_remote(allow_private=True) as remote:
        storage = S3Storage(remote, seaweed.endpoint, "nobodys-bucket", REGION, keys)
        with pytest.raises(StorageUnavailableError):
            await storage.read(path_of(new_photo()), 100)


async def test_keys_that_the_server_does_not_know_are_a_fault_of_the_server(
    seaweed: Seaweed, keys: SecretFiles, tmp_path: Path, storage: S3Storage
) -> None:
    (tmp_path / "secret").write_text("another secret")
    with pytest.raises(StorageUnavailableError):
        await storage.read(path_of(new_photo()), 100)


async def test_rotated_keys_are_read_again_and_urls_of_the_old_ones_stay_valid(
    storage: S3Storage, tmp_path: Path
) -> None:
    path = path_of(new_photo())
    before = await storage.ticket(path, 100)
    (tmp_path / "key-id").write_text("AKIDAFTERWARDS")
    after = await storage.ticket(path, 100)
    assert "AKIDAFTERWARDS" in str(after.download_url)
    for ticket in (before, after):
        storage.verify(path, str(ticket.download_url))


async def test_a_photo_that_came_into_the_bucket_by_another_way_is_held_to_its_hash(
    storage: S3Storage, seaweed: Seaweed
) -> None:
    photo = new_photo()
    seaweed.call("PUT", f"/{BUCKET}/{path_of(photo)}", bytes(len(photo)))
    url = str((await storage.ticket(path_of(photo), len(photo))).download_url)
    with pytest.raises(ImageHashMismatchError):
        await UploadService(storage, Metrics(), plenty()).load(Caller(ALICE, "{}"), url, sha256(photo), len(photo))


async def test_what_is_too_large_is_read_only_so_far_that_it_shows(storage: S3Storage, seaweed: Seaweed) -> None:
    photo = new_photo()
    seaweed.call("PUT", f"/{BUCKET}/{path_of(photo)}", bytes(3_000_000))
    content = await storage.read(path_of(photo), 100)
    assert content is not None
    assert len(content) == 101


async def test_old_photos_are_removed_and_other_things_in_the_bucket_stay(
    storage: S3Storage, client: httpx2.AsyncClient, seaweed: Seaweed
) -> None:
    photos = [new_photo() for _ in range(3)]
    await asyncio.gather(*(uploaded(storage, client, photo) for photo in photos))
    strange = f"/{BUCKET}/{ALICE}/notes.txt"
    seaweed.call("PUT", strange, b"x")
    assert await storage.expire(3600) == 0
    assert await storage.expire(-60) >= 3
    assert [await storage.read(path_of(photo), 100) for photo in photos] == [None] * 3
    assert seaweed.call("GET", strange).content == b"x"


async def test_a_large_bucket_is_cleaned_page_by_page_in_bounded_rounds(
    storage: S3Storage, client: httpx2.AsyncClient, seaweed: Seaweed, keys: SecretFiles
) -> None:
    photos = [new_photo() for _ in range(25)]
    await asyncio.gather(*(uploaded(storage, client, photo) for photo in photos))
    async with open_remote(allow_private=True) as remote:
        paged = S3Storage(remote, seaweed.endpoint, BUCKET, REGION, keys, page_objects=2)
        assert await paged.expire(-60) <= 20
        for _ in range(10):
            await paged.expire(-60)
    assert {await storage.read(path_of(photo), 100) for photo in photos} == {None}


async def test_a_photo_goes_from_the_phone_through_the_bucket_to_the_model(
    gateway: Gateway, client: httpx2.AsyncClient
) -> None:
    photos = [new_photo() for _ in range(3)]
    tickets = [(await gateway.ask_for_urls(photo)).json()["result"] for photo in photos]
    for photo, ticket in zip(photos, tickets, strict=True):
        response = await client.put(ticket["uploadUrl"], content=photo, headers=ticket["uploadHeaders"])
        assert response.status_code == 200
    urls = [(photo, ticket["downloadUrl"]) for photo, ticket in zip(photos, tickets, strict=True)]
    response = await gateway.diagnose_urls(*urls)
    assert response.status_code == 200, response.text
    assert [image["sha256"] for image in response.json()["result"]["images"]] == [sha256(photo) for photo in photos]


async def error_of(gateway: Gateway, photo: bytes, url: str, **asked: Any) -> tuple[int, str, str]:
    response = await gateway.diagnose_urls((photo, url), **asked)
    error = response.json()["error"]
    return response.status_code, error["code"], error["message"]


async def test_another_users_photo_is_forbidden_and_whether_it_exists_does_not_show(
    gateway: Gateway, client: httpx2.AsyncClient
) -> None:
    answers = set()
    for is_there in (True, False):
        photo = new_photo()
        ticket = (await gateway.ask_for_urls(photo, BOB)).json()["result"]
        if is_there:
            await client.put(ticket["uploadUrl"], content=photo, headers=ticket["uploadHeaders"])
        for url in (ticket["downloadUrl"], ticket["downloadUrl"].partition("?")[0]):
            answers |= {await error_of(gateway, photo, url, bytes=size) for size in (len(photo), 1)}
    assert answers == {(403, "object_forbidden", "images[0]: The photo belongs to another user.")}


async def test_an_error_says_which_photo_it_is_about(gateway: Gateway, client: httpx2.AsyncClient) -> None:
    photos = [new_photo(), new_photo()]
    tickets = [(await gateway.ask_for_urls(photo)).json()["result"] for photo in photos]
    await client.put(tickets[0]["uploadUrl"], content=photos[0], headers=tickets[0]["uploadHeaders"])
    urls = [(photo, ticket["downloadUrl"]) for photo, ticket in zip(photos, tickets, strict=True)]
    error = (await gateway.diagnose_urls(*urls)).json()["error"]
    assert (error["code"], error["message"]) == ("image_not_uploaded", "images[1]: The photo was not uploaded.")


async def test_with_a_bucket_the_routes_of_the_local_storage_do_not_exist(gateway: Gateway) -> None:
    response = await gateway.client.get(f"/v1/storage/{path_of(png())}")
    assert (response.status_code, response.json()["error"]["code"]) == (404, "not_found")
