//! Keeps what large guests write to in memory from one call to the next.
//!
//! After a call, wasmtime asks the kernel which pages were written to and restores those from the module's
//! image. But it accepts only 32 regions of pages: what lies beyond the 32nd is returned to the kernel, and
//! the next call faults it in again. An interpreter writes to hundreds of pages all over its heap. So the
//! pages in the gaps between them are made private to the process as well, the smallest gaps first, until
//! there are few enough regions: restoring one more page costs a tenth of a page fault, and nothing is
//! returned. No content changes.
//!
//! Must not know what a guest is, nor which memory is whose.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{LazyLock, Mutex};

#[cfg(target_os = "linux")]
use nix::sys::mman::{MmapAdvise, madvise};
#[cfg(target_os = "linux")]
use nix::sys::resource::{UsageWho, getrusage};
use wasmtime::PoolingAllocationConfig;

/// Whether the kernel reports written pages. Without that, memory is returned to it whatever is done here.
static SCANS: LazyLock<bool> = LazyLock::new(PoolingAllocationConfig::is_pagemap_scan_available);
/// After this many useful looks, further ones become rare too: each memory needs one or two, and if there are
/// always more faults, this doesn't help.
const MOST_LOOKS: u64 = 1024;
/// Guests with less memory have too few pages to need this.
const LARGE: u64 = 2 << 20;
/// A call with fewer page faults can't be improved.
const FEW_FAULTS: i64 = 32;
/// The number of regions that wasmtime accepts from the kernel (`MAX_REGIONS` in its `pagemap.rs`).
const REGIONS: usize = 32;
/// The number of regions to aim at. It is lower, because no two calls write to the same pages.
const AIM: usize = 30;
const PAGE: u64 = 4096;
/// The name in `/proc/self/maps` of memories that began as an image.
const IMAGE: &str = "/memfd:wasm-memory-image";

/// What is known about one module's calls.
#[derive(Debug, Default)]
pub(crate) struct Residency {
    large: AtomicBool,
    pace: Mutex<Pace>,
}

/// When to look again: after the first call with many faults, then less and less often while looking doesn't
/// help.
#[derive(Debug, Default)]
struct Pace {
    skip: u64,
    skipped: u64,
    looks: u64,
}

impl Residency {
    /// Before a call: this thread's page faults so far, if they are worth counting.
    pub(crate) fn before(&self) -> Option<i64> {
        (self.large.load(Ordering::Relaxed) && *SCANS).then(faults)
    }

    /// After a call that ended with this much memory, and before the memory is reset.
    pub(crate) fn after(&self, before: Option<i64>, memory: u64, kept: usize) {
        let Some(before) = before else {
            if memory >= LARGE {
                self.large.store(true, Ordering::Relaxed);
            }
            return;
        };
        if faults() - before < FEW_FAULTS {
            return;
        }
        // If another thread is already looking, there is nothing to add.
        let Ok(mut pace) = self.pace.try_lock() else {
            return;
        };
        if pace.skipped < pace.skip {
            pace.skipped += 1;
            return;
        }
        let brought = close_gaps(kept).unwrap_or_default();
        *pace = pace.next(brought > 0);
    }
}

impl Pace {
    fn next(&self, useful: bool) -> Pace {
        Pace {
            skip: if useful && self.looks < MOST_LOOKS {
                0
            } else {
                self.skip.saturating_mul(2).saturating_add(1)
            },
            skipped: 0,
            looks: self.looks + 1,
        }
    }
}

/// This thread's page faults so far that needed no disk access. Always 0 on systems that don't count them.
fn faults() -> i64 {
    #[cfg(target_os = "linux")]
    let faults = getrusage(UsageWho::RUSAGE_THREAD).map_or(0, |usage| usage.minor_page_faults());
    #[cfg(not(target_os = "linux"))]
    let faults = 0;
    faults
}

/// Closes gaps in every memory that was written to in too many places, and returns the number of pages this
/// took. A memory of which more than `kept` bytes would be restored stays as it is.
fn close_gaps(kept: usize) -> io::Result<u64> {
    let pagemap = File::open("/proc/self/pagemap")?;
    let mut closed = 0;
    for memory in memories()? {
        let written = regions(&own_pages(&pagemap, &memory)?);
        if written.len() <= REGIONS {
            continue;
        }
        for gap in gaps(&written, AIM, kept as u64 / PAGE) {
            let pages = gap.end - gap.start;
            make_own(memory.start + gap.start * PAGE, pages * PAGE)?;
            closed += pages;
        }
    }
    Ok(closed)
}

/// The address ranges of memories that began as a module's image.
fn memories() -> io::Result<Vec<Range<u64>>> {
    let mut found = Vec::new();
    for line in BufReader::new(File::open("/proc/self/maps")?).lines() {
        found.extend(memory(&line?));
    }
    Ok(found)
}

/// The address range in a line of `/proc/self/maps`, if it is a writable memory.
fn memory(line: &str) -> Option<Range<u64>> {
    if !line.contains(IMAGE) || !line.contains(" rw-p ") {
        return None;
    }
    let (start, end) = line.split(' ').next()?.split_once('-')?;
    let address = |text| u64::from_str_radix(text, 16).ok();
    Some(address(start)?..address(end)?)
}

/// Which pages of a memory are private to the process. The others still belong to the image, or were never
/// touched. See Linux's `Documentation/admin-guide/mm/pagemap.rst`.
fn own_pages(pagemap: &File, memory: &Range<u64>) -> io::Result<Vec<bool>> {
    const PRESENT: u64 = 1 << 63;
    const OF_A_FILE: u64 = 1 << 61;
    let pages = usize::try_from((memory.end - memory.start) / PAGE).unwrap_or(0);
    let mut bytes = vec![0; pages * 8];
    pagemap.read_exact_at(&mut bytes, memory.start / PAGE * 8)?;
    let entries = bytes.as_chunks::<8>().0.iter();
    Ok(entries
        .map(|entry| u64::from_ne_bytes(*entry))
        .map(|entry| entry & PRESENT != 0 && entry & OF_A_FILE == 0)
        .collect())
}

/// The runs of pages that are marked.
fn regions(marked: &[bool]) -> Vec<Range<u64>> {
    let mut found: Vec<Range<u64>> = Vec::new();
    for (page, _) in (0..).zip(marked).filter(|(_, marked)| **marked) {
        match found.last_mut() {
            Some(last) if last.end == page => last.end += 1,
            _ => found.push(page..page + 1),
        }
    }
    found
}

/// The smallest gaps that must be closed to leave `regions` regions, as long as no more than `pages` pages
/// are then in use.
fn gaps(written: &[Range<u64>], regions: usize, pages: u64) -> Vec<Range<u64>> {
    let mut gaps: Vec<_> = written
        .windows(2)
        .map(|pair| pair[0].end..pair[1].start)
        .collect();
    gaps.sort_by_key(|gap| gap.end - gap.start);
    let mut used: u64 = written.iter().map(|region| region.end - region.start).sum();
    let too_many = written.len().saturating_sub(regions);
    let affordable = gaps.into_iter().take(too_many).take_while(|gap| {
        used += gap.end - gap.start;
        used <= pages
    });
    affordable.collect()
}

/// On other systems there is never anything to do.
#[cfg(not(target_os = "linux"))]
fn make_own(_: u64, _: u64) -> io::Result<()> {
    Ok(())
}

/// Makes pages private to the process, as writing to each of them would, without changing their content.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the kernel's own way; see below")]
fn make_own(address: u64, length: u64) -> io::Result<()> {
    let (Ok(address), Ok(length)) = (usize::try_from(address), usize::try_from(length)) else {
        return Ok(());
    };
    let Some(start) = std::ptr::NonNull::new(std::ptr::without_provenance_mut(address)) else {
        return Ok(());
    };
    // SAFETY: MADV_POPULATE_WRITE changes no byte of any mapping, whoever owns it or writes to it, so it is
    // harmless even if the memory was replaced after it was looked up. It fails for memory that is not
    // mapped.
    unsafe { madvise(start, length, MmapAdvise::MADV_POPULATE_WRITE) }.map_err(io::Error::from)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_line_of_the_kernel_is_read() {
        let line = "7f00-7fa0 rw-p 00000000 00:01 1811 /memfd:wasm-memory-image (deleted)";
        assert_eq!(memory(line), Some(0x7f00..0x7fa0));
        assert_eq!(memory(&line.replace("rw-p", "r--s")), None);
        assert_eq!(memory("7f00-7fa0 rw-p 00000000 00:00 0"), None);
    }

    #[test]
    fn looking_in_vain_becomes_rare() {
        let mut pace = Pace::default();
        let mut skips = Vec::new();
        for _ in 0..4 {
            pace = pace.next(false);
            skips.push(pace.skip);
        }
        assert_eq!(skips, [1, 3, 7, 15]);
        assert_eq!(pace.next(true).skip, 0);
        for _ in 0..MOST_LOOKS {
            pace = pace.next(true);
        }
        assert!(
            pace.next(true).skip > 0,
            "so do looks that bring something each time"
        );
    }

    #[test]
    fn pages_become_the_processes_own_and_keep_their_content() {
        let file = tempfile::tempfile().unwrap();
        let content: Vec<u8> = (0..=250)
            .cycle()
            .take(usize::try_from(8 * PAGE).unwrap())
            .collect();
        file.write_all_at(&content, 0).unwrap();
        let map = private(&file, content.len());
        let range = map.as_ptr() as u64..map.as_ptr() as u64 + 8 * PAGE;
        let pagemap = File::open("/proc/self/pagemap").unwrap();
        assert_eq!(map, content);
        assert_eq!(own_pages(&pagemap, &range).unwrap(), [false; 8]);
        make_own(range.start + 2 * PAGE, 3 * PAGE).unwrap();
        let own = own_pages(&pagemap, &range).unwrap();
        assert_eq!(own, [false, false, true, true, true, false, false, false]);
        assert_eq!(map, content);
    }

    /// A file that is mapped like an image.
    #[expect(unsafe_code, reason = "a mapping that lives as long as the tests")]
    fn private(file: &File, length: usize) -> &'static [u8] {
        use nix::sys::mman::{MapFlags, ProtFlags, mmap};
        let length = std::num::NonZeroUsize::new(length).unwrap();
        let access = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping, which is never removed.
        unsafe {
            let start = mmap(None, length, access, MapFlags::MAP_PRIVATE, file, 0).unwrap();
            std::slice::from_raw_parts(start.as_ptr().cast(), length.get())
        }
    }

    proptest! {
        #[test]
        fn closing_gaps_leaves_few_regions_within_bounds(
            marked in prop::collection::vec(prop::bool::weighted(0.2), 0..400),
            aim in 1..20_usize,
            most in 0..500_u64,
        ) {
            let before = regions(&marked);
            let mut after = marked.clone();
            for gap in gaps(&before, aim, most) {
                for page in gap {
                    let page = usize::try_from(page).unwrap();
                    prop_assert!(!after[page], "a gap has nothing that was written to");
                    after[page] = true;
                }
            }
            let used = |pages: &[bool]| pages.iter().filter(|own| **own).count() as u64;
            prop_assert!(used(&after) <= most.max(used(&marked)));
            if most == 500 || used(&after) == marked.len() as u64 {
                prop_assert!(regions(&after).len() <= aim.max(1));
            }
            if before.len() <= aim {
                prop_assert_eq!(after, marked);
            }
        }
    }
}
