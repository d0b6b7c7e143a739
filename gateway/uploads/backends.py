"""The storage that the settings choose."""

from __future__ import annotations

import hashlib
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from gateway.settings import Storage, read_secret
from gateway.uploads.local import LocalStorage
from gateway.uploads.remote import open_remote
from gateway.uploads.s3 import S3Storage
from gateway.uploads.secret_files import SecretFiles
from gateway.uploads.signing import UrlSigner
from gateway.uploads.supabase import SupabaseStorage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gateway.settings import Settings
    from gateway.uploads.protocols import PhotoStorage

SIGNING_KEY_BYTES = hashlib.sha256().digest_size  # RFC 2104, section 3


@asynccontextmanager
async def open_storage(settings: Settings) -> AsyncIterator[PhotoStorage]:
    """Folders and files of secrets must be there, and a remote storage need not answer yet."""
    if settings.storage is Storage.LOCAL:
        yield local_storage(settings)
        return
    async with open_remote(allow_private=settings.storage_allow_private_addresses) as remote:
        if settings.storage is Storage.S3:
            assert settings.s3_access_key_id_file is not None
            assert settings.s3_secret_access_key_file is not None
            assert settings.s3_bucket is not None
            keys = SecretFiles(settings.s3_access_key_id_file, settings.s3_secret_access_key_file)
            yield S3Storage(remote, str(settings.s3_endpoint), settings.s3_bucket, settings.s3_region, keys)
        else:
            assert settings.supabase_service_key_file is not None
            assert settings.supabase_bucket is not None
            keys = SecretFiles(settings.supabase_service_key_file)
            yield SupabaseStorage(remote, str(settings.supabase_url), settings.supabase_bucket, keys)


def local_storage(settings: Settings) -> LocalStorage:
    assert settings.storage_signing_key_file is not None
    assert settings.storage_dir is not None
    signer = UrlSigner(read_secret(settings.storage_signing_key_file, SIGNING_KEY_BYTES))
    return LocalStorage(settings.storage_dir, signer, str(settings.public_url))
