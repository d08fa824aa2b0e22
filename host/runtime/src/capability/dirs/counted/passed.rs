//! The functions of `wasi:filesystem`: those that write, open or hold something are counted, the others are passed on
//! to the engine.
//!
//! Must not know the limits.

use wasmtime::component::Resource;
use wasmtime_wasi::filesystem::Descriptor;
use wasmtime_wasi::p2::bindings::filesystem::types::{self, HostDescriptor as Engine};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};

use super::{BUFFER, Counted, ENTRY, Open, Reading};

/// Functions of one interface, passed on to the engine.
macro_rules! pass {
    ($of:ident: $(async fn $name:ident($($arg:ident: $ty:ty),*) -> $out:ty;)*) => {
        $(async fn $name(&mut self, $($arg: $ty),*) -> $out {
            types::$of::$name(&mut self.view, $($arg),*).await
        })*
    };
}

type File = Resource<Descriptor>;

impl types::Host for Counted<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<types::ErrorCode> {
        types::Host::convert_error_code(&mut self.view, error)
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<types::ErrorCode>> {
        types::Host::filesystem_error_code(&mut self.view, error)
    }
}

impl types::HostDescriptor for Counted<'_> {
    pass! { HostDescriptor:
        async fn advise(file: File, offset: types::Filesize, length: types::Filesize, advice: types::Advice) -> FsResult<()>;
        async fn sync_data(file: File) -> FsResult<()>;
        async fn get_flags(file: File) -> FsResult<types::DescriptorFlags>;
        async fn get_type(file: File) -> FsResult<types::DescriptorType>;
        async fn set_times(file: File, accessed: types::NewTimestamp, modified: types::NewTimestamp) -> FsResult<()>;
        async fn read(file: File, length: types::Filesize, offset: types::Filesize) -> FsResult<(Vec<u8>, bool)>;
        async fn sync(file: File) -> FsResult<()>;
        async fn stat(file: File) -> FsResult<types::DescriptorStat>;
        async fn stat_at(directory: File, flags: types::PathFlags, path: String) -> FsResult<types::DescriptorStat>;
        async fn set_times_at(directory: File, flags: types::PathFlags, path: String, accessed: types::NewTimestamp, modified: types::NewTimestamp) -> FsResult<()>;
        async fn readlink_at(directory: File, path: String) -> FsResult<String>;
        async fn remove_directory_at(directory: File, path: String) -> FsResult<()>;
        async fn rename_at(from: File, old: String, to: File, new: String) -> FsResult<()>;
        async fn unlink_file_at(directory: File, path: String) -> FsResult<()>;
        async fn is_same_object(one: File, other: File) -> wasmtime::Result<bool>;
        async fn metadata_hash(file: File) -> FsResult<types::MetadataHashValue>;
        async fn metadata_hash_at(directory: File, flags: types::PathFlags, path: String) -> FsResult<types::MetadataHashValue>;
    }

    async fn write(
        &mut self,
        file: File,
        bytes: Vec<u8>,
        offset: types::Filesize,
    ) -> FsResult<types::Filesize> {
        self.files.take(file.rep(), bytes.len() as u64)?;
        Engine::write(&mut self.view, file, bytes, offset).await
    }

    async fn set_size(&mut self, file: File, size: types::Filesize) -> FsResult<()> {
        let handle = file.rep();
        let before = Engine::stat(&mut self.view, Resource::new_borrow(handle)).await?;
        self.files.take(handle, size.saturating_sub(before.size))?;
        Engine::set_size(&mut self.view, file, size).await
    }

    async fn create_directory_at(&mut self, directory: File, path: String) -> FsResult<()> {
        self.files.take(directory.rep(), ENTRY)?;
        Engine::create_directory_at(&mut self.view, directory, path).await
    }

    async fn symlink_at(&mut self, directory: File, from: String, to: String) -> FsResult<()> {
        self.files.take(directory.rep(), ENTRY)?;
        Engine::symlink_at(&mut self.view, directory, from, to).await
    }

    async fn link_at(
        &mut self,
        from: File,
        flags: types::PathFlags,
        old: String,
        to: File,
        new: String,
    ) -> FsResult<()> {
        self.files.take(to.rep(), ENTRY)?;
        Engine::link_at(&mut self.view, from, flags, old, to, new).await
    }

    async fn open_at(
        &mut self,
        directory: File,
        flags: types::PathFlags,
        path: String,
        how: types::OpenFlags,
        rights: types::DescriptorFlags,
    ) -> FsResult<File> {
        let allowance = self.files.allowance(directory.rep());
        let writes = types::DescriptorFlags::WRITE | types::DescriptorFlags::MUTATE_DIRECTORY;
        let creates = how.contains(types::OpenFlags::CREATE);
        if creates || rights.intersects(writes) {
            allowance.refresh().await;
        }
        if creates {
            allowance.take(ENTRY)?;
        }
        let slot = Some(self.files.slot()?);
        let opened = Engine::open_at(&mut self.view, directory, flags, path, how, rights).await?;
        let place = allowance.place.unwrap_or_default();
        self.files.opened += 1;
        self.files.open.insert(opened.rep(), Open { place, slot });
        Ok(opened)
    }

    fn drop(&mut self, file: File) -> wasmtime::Result<()> {
        self.files.close(file.rep());
        Engine::drop(&mut self.view, file)
    }

    /// The engine reads all entries at once.
    async fn read_directory(
        &mut self,
        directory: File,
    ) -> FsResult<Resource<types::DirectoryEntryStream>> {
        let handle = directory.rep();
        let found = Engine::stat(&mut self.view, Resource::new_borrow(handle)).await?;
        let held = self.files.hold(ENTRY.saturating_add(2 * found.size))?;
        let listing = Engine::read_directory(&mut self.view, directory).await?;
        self.files.listings.insert(listing.rep(), held);
        Ok(listing)
    }

    fn read_via_stream(
        &mut self,
        file: File,
        offset: types::Filesize,
    ) -> FsResult<Resource<DynInputStream>> {
        let plain = Engine::read_via_stream(&mut self.view, file, offset)?;
        let stream = Reading {
            inner: self.view.table.delete(plain)?,
            _held: self.files.hold(BUFFER)?,
        };
        let stream: DynInputStream = Box::new(stream);
        Ok(self.view.table.push(stream)?)
    }

    fn write_via_stream(
        &mut self,
        file: File,
        offset: types::Filesize,
    ) -> FsResult<Resource<DynOutputStream>> {
        let handle = file.rep();
        let plain = Engine::write_via_stream(&mut self.view, file, offset)?;
        self.writing(handle, plain)
    }

    fn append_via_stream(&mut self, file: File) -> FsResult<Resource<DynOutputStream>> {
        let handle = file.rep();
        let plain = Engine::append_via_stream(&mut self.view, file)?;
        self.writing(handle, plain)
    }
}

impl types::HostDirectoryEntryStream for Counted<'_> {
    pass! { HostDirectoryEntryStream:
        async fn read_directory_entry(listing: Resource<types::DirectoryEntryStream>) -> FsResult<Option<types::DirectoryEntry>>;
    }

    fn drop(&mut self, listing: Resource<types::DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.files.listings.remove(&listing.rep());
        types::HostDirectoryEntryStream::drop(&mut self.view, listing)
    }
}
