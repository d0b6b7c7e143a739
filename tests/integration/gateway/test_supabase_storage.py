"""Photos in Supabase Storage, over a fake that speaks its REST API."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import httpx2
import pytest

from gateway.auth.protocols import Caller
from gateway.errors import (
    ImageHashMismatchError,
    ImageSizeMismatchError,
    StorageUnavailableError,
    UrlExpiredError,
    UrlSignatureError,
)
from gateway.metrics import Metrics
from gateway.uploads.protocols import ObjectPath
from gateway.uploads.remote import Reply, open_remote
from gateway.uploads.secret_files import SecretFiles
from gateway.uploads.service import UploadService
from gateway.uploads.signing import Grant, UrlSigner
from gateway.uploads.supabase import SupabaseStorage, derive, is_missing_object
from tests.fake_supabase import BUCKET, StoredObject, running_supabase
from tests.gateways import ALICE, BOB, Gateway, SigningKey, parts_with, plenty, png, serve, settings_in, sha256

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from frond.types import UploadTicket
    from tests.fake_supabase import FakeSupabase
    from tests.gateways import FakeDiagnoser
    from tests.integration.gateway.conftest import Database

SERVICE_KEY = "sb_secret_of_the_tests"
PHOTO = png()
PATH = ObjectPath(ALICE, sha256(PHOTO), "image/png")


@pytest.fixture
async def supabase() -> AsyncIterator[FakeSupabase]:
    async with running_supabase(SERVICE_KEY) as fake:
        yield fake


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "service-key"
    path.write_text(SERVICE_KEY + "\n")
    return path


@pytest.fixture
async def storage(supabase: FakeSupabase, key_file: Path) -> AsyncIterator[SupabaseStorage]:
    async with open_remote(allow_private=True) as remote:
        yield SupabaseStorage(remote, supabase.url + "/", BUCKET, SecretFiles(key_file))


async def put(ticket: UploadTicket, content: bytes = PHOTO, url: str | None = None) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False) as client:
        return await client.put(url or str(ticket.upload_url), content=content, headers=ticket.upload_headers)


async def load(storage: SupabaseStorage, ticket: UploadTicket) -> bytes:
    service = UploadService(storage, Metrics(), plenty())
    return await service.load(Caller(ALICE, "{}"), str(ticket.download_url), PATH.sha256, len(PHOTO))


async def test_an_uploaded_photo_can_be_loaded(storage: SupabaseStorage, supabase: FakeSupabase) -> None:
    ticket = await storage.ticket(PATH, len(PHOTO))
    assert (await put(ticket)).status_code == 200
    assert await load(storage, ticket) == PHOTO
    assert supabase.objects[str(PATH)].content_type == "image/png"


async def test_a_ticket_says_how_long_supabase_lets_an_upload_take(storage: SupabaseStorage) -> None:
    ticket = await storage.ticket(PATH, len(PHOTO))
    assert 7000 < ticket.upload_expires_in_seconds <= 7200
    assert ticket.download_expires_in_seconds == 3600


async def test_neither_url_holds_the_service_key(storage: SupabaseStorage) -> None:
    assert SERVICE_KEY not in (await storage.ticket(PATH, len(PHOTO))).model_dump_json()


async def test_an_upload_url_is_for_one_path(storage: SupabaseStorage, supabase: FakeSupabase) -> None:
    ticket = await storage.ticket(PATH, len(PHOTO))
    moved = await put(ticket, url=str(ticket.upload_url).replace(str(ALICE), str(BOB)))
    assert moved.status_code == 400
    assert not supabase.objects


async def test_one_upload_url_cannot_replace_what_it_brought(storage: SupabaseStorage) -> None:
    ticket = await storage.ticket(PATH, len(PHOTO))
    await put(ticket)
    assert (await put(ticket, bytes(len(PHOTO)))).json()["error"] == "Duplicate"
    assert await load(storage, ticket) == PHOTO


async def test_a_broken_upload_can_be_repaired_with_a_new_ticket(storage: SupabaseStorage) -> None:
    await put(await storage.ticket(PATH, len(PHOTO)), b"broken")
    ticket = await storage.ticket(PATH, len(PHOTO))
    assert (await put(ticket)).status_code == 200
    assert await load(storage, ticket) == PHOTO


@pytest.mark.parametrize(
    ("content", "error"),
    [(PHOTO + b"x", ImageSizeMismatchError), (bytes(len(PHOTO)), ImageHashMismatchError)],
    ids=["other size", "other bytes"],
)
async def test_what_supabase_does_not_enforce_is_found_out_at_use(
    storage: SupabaseStorage, content: bytes, error: type[Exception]
) -> None:
    ticket = await storage.ticket(PATH, len(PHOTO))
    assert (await put(ticket, content)).status_code == 200
    with pytest.raises(error):
        await load(storage, ticket)


async def test_a_download_url_is_held_to_its_path_and_its_hour(storage: SupabaseStorage) -> None:
    url = str((await storage.ticket(PATH, len(PHOTO))).download_url)
    storage.verify(PATH, url)
    for forged in (
        url.partition("?")[0],
        url.replace("bytes=", "bytes=1"),
        url[:-1] + ("A" if url[-1] != "A" else "B"),
    ):
        with pytest.raises(UrlSignatureError):
            storage.verify(PATH, forged)
    query = UrlSigner(derive(SERVICE_KEY)).query(Grant("GET", PATH, len(PHOTO), int(time.time()) - 1))
    with pytest.raises(UrlExpiredError):
        storage.verify(PATH, f"{url.partition('?')[0]}?{query}")


async def test_urls_survive_a_new_service_key(storage: SupabaseStorage, supabase: FakeSupabase, key_file: Path) -> None:
    ticket = await storage.ticket(PATH, len(PHOTO))
    await put(ticket)
    supabase.service_key = "sb_secret_of_tomorrow"
    key_file.write_text(supabase.service_key)  # noqa: ASYNC240
    assert await load(storage, ticket) == PHOTO


async def test_only_urls_of_the_bucket_name_a_photo(storage: SupabaseStorage, supabase: FakeSupabase) -> None:
    root = f"{supabase.url}/storage/v1/object"
    assert storage.locate(f"{root}/authenticated/{BUCKET}/{PATH}?x") == PATH
    for url in (f"{root}/authenticated/other/{PATH}", f"{root}/public/{BUCKET}/{PATH}", f"{root}/sign/{BUCKET}/{PATH}"):
        assert storage.locate(url) is None


async def test_a_photo_that_was_never_uploaded_is_not_there(storage: SupabaseStorage) -> None:
    assert await storage.read(PATH, 100) is None


async def test_a_missing_bucket_or_a_wrong_key_is_a_fault_of_the_server(
    supabase: FakeSupabase, key_file: Path, storage: SupabaseStorage
) -> None:
    async with open_remote(allow_private=True) as remote:
        elsewhere = SupabaseStorage(remote, supabase.url, "other", SecretFiles(key_file))
        with pytest.raises(StorageUnavailableError):
            await elsewhere.read(PATH, 100)
        with pytest.raises(StorageUnavailableError):
            await elsewhere.ticket(PATH, 100)
    supabase.service_key = "another"
    with pytest.raises(StorageUnavailableError):
        await storage.read(PATH, 100)


async def test_old_photos_are_removed_and_other_things_in_the_bucket_stay(
    storage: SupabaseStorage, supabase: FakeSupabase
) -> None:
    old = time.time() - 7200
    theirs = [str(ObjectPath(user, sha256(png(1)), "image/png")) for user in (ALICE, BOB)]
    others = [f"{ALICE}/notes.txt", "avatars/x.png", "logo.png"]
    supabase.objects = {path: StoredObject(b"", "image/png", old) for path in [*theirs, *others]}
    supabase.objects[str(PATH)] = StoredObject(PHOTO, "image/png")
    assert await storage.expire(3600) == 2
    assert set(supabase.objects) == {*others, str(PATH)}


async def test_one_round_after_the_other_reaches_every_user(storage: SupabaseStorage, supabase: FakeSupabase) -> None:
    users = [ALICE.__class__(int=number) for number in range(250)]
    paths = [str(ObjectPath(user, PATH.sha256, "image/png")) for user in users]
    supabase.objects = {path: StoredObject(b"", "image/png", 0) for path in paths}
    removed = [await storage.expire(3600) for _ in range(6)]
    assert sum(removed) == 250
    assert max(removed) <= 100


async def test_a_photo_goes_from_the_phone_through_supabase_to_the_model(
    tmp_path: Path,
    supabase: FakeSupabase,
    key_file: Path,
    shared_database: Database,
    diagnoser: FakeDiagnoser,
) -> None:
    settings = settings_in(
        tmp_path,
        key := SigningKey(),
        database_url=shared_database.gateway_url,
        storage="supabase",
        storage_allow_private_addresses=True,
        supabase_url=supabase.url,
        supabase_bucket=BUCKET,
        supabase_service_key_file=key_file,
    )
    async with serve(settings, parts_with(diagnoser)) as client:
        gateway = Gateway(client, key, settings)
        ticket = (await gateway.ask_for_urls(PHOTO)).json()["result"]
        asked_early = await gateway.diagnose_urls((PHOTO, ticket["downloadUrl"]))
        assert asked_early.json()["error"]["code"] == "image_not_uploaded"
        await client.put(ticket["uploadUrl"], content=PHOTO, headers=ticket["uploadHeaders"])
        answered = await gateway.diagnose_urls((PHOTO, ticket["downloadUrl"]))
        assert answered.status_code == 200


@pytest.mark.parametrize("content", [b"null", b"[]", b"<html>"])
def test_a_reply_of_another_form_is_a_storage_that_does_not_work(content: bytes) -> None:
    with pytest.raises(StorageUnavailableError):
        is_missing_object(Reply(400, content))
