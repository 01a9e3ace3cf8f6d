//! What the rest of park relies on, at the store itself.

use super::disk::{Disk, Unread};
use super::draft::Saved;
use super::header::parse;
use super::reader::Opened;
use super::saver::Saver;
use super::vault::{Info, Known, Skipped, Vault};
use super::*;
use crate::core::status::{Result, Status};
use crate::core::sync::Mutex;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{mpsc, Arc};
use std::time::{Duration, Instant};

/// A directory that is gone at the end.
pub(super) struct Place(pub(super) PathBuf);

impl Place {
    pub(super) fn new() -> Place {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // Below the target directory: on a disk, where temporary directories may be memory.
        let base = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/store");
        let path = base.join(format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
        fs::create_dir_all(&path).unwrap();
        Place(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Memory of a test's.
struct Bytes(Vec<u8>);

impl Source for Bytes {
    fn read(&self, offset: u64, into: &mut [u8]) {
        into.copy_from_slice(&self.0[offset as usize..][..into.len()]);
    }
}

type Things = Vec<(Entry, Bytes)>;

fn thing(name: &str, dtype: Dtype, shape: &[u64], seed: u64) -> (Entry, Bytes) {
    let entry = Entry { name: name.into(), dtype, shape: shape.to_vec(), kind: String::new() };
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 56) as u8
    };
    let bytes = (0..entry.bytes().unwrap()).map(|_| next()).collect();
    (entry, Bytes(bytes))
}

/// Of all sizes, also empty ones, odd ones and one of several pieces; names that JSON has to quote.
fn things(seed: u64) -> Things {
    vec![
        thing("flag", Dtype::U8, &[1], seed),
        thing("u", Dtype::F64, &[3, 5, 7], seed + 1),
        thing("empty", Dtype::F32, &[0, 4], seed + 2),
        thing("a \"name\", \\ \u{1}é", Dtype::I16, &[11], seed + 3),
        thing("scalar", Dtype::I64, &[], seed + 4),
        thing("large", Dtype::F32, &[1_300_000], seed + 5),
        thing("bytes", Dtype::U8, &[4_500_001], seed + 6),
    ]
}

fn description() -> Description {
    Description {
        job: "heat".into(),
        done: 7.5,
        total: 1e300,
        units: "steps".into(),
        exposed: r#"{"alpha":0.25}"#.into(),
        best_value: Some(-1.5e-7),
    }
}

fn open(place: &Place, keep: usize) -> (Arc<Vault>, Arc<Mutex<Vec<String>>>) {
    let warnings = Arc::new(Mutex::new(Vec::new()));
    let told = warnings.clone();
    let vault = Vault::open(&place.0, keep, Box::new(move |text| told.lock().push(text))).unwrap();
    (vault, warnings)
}

/// Saves by a copy, in the background, and waits for it and for what is done after it.
fn save(saver: &Saver, things: &Things) -> Result<Saved> {
    let saved = begin_save(saver, things, &one_after_the_other)?.recv().unwrap();
    assert!(saver.wait(None));
    saver.vault().tidy(&Default::default());
    saved
}

fn begin_save(saver: &Saver, things: &Things, share: super::copy::Share<'_>) -> Result<mpsc::Receiver<Result<Saved>>> {
    let entries: Vec<_> = things.iter().map(|(entry, _)| entry.clone()).collect();
    let sources: Vec<_> = things.iter().map(|(_, bytes)| bytes as &dyn Source).collect();
    let plan = saver.vault().draft().plan(&description(), &entries)?;
    let (sender, receiver) = mpsc::channel();
    saver.save_copy(plan, &sources, share, Box::new(move |saved| sender.send(saved).unwrap()))?;
    Ok(receiver)
}

fn one_after_the_other(count: usize, part: &(dyn Fn(usize) + Sync)) {
    (0..count).for_each(part);
}

fn assert_holds(opened: &Opened, things: &Things) {
    assert_eq!(opened.entries().len(), things.len());
    for (index, entry) in opened.entries().iter().enumerate() {
        let (wanted, bytes) = things.iter().find(|(wanted, _)| wanted.name == entry.name).unwrap();
        assert_eq!(entry, wanted);
        let mut read = Vec::new();
        opened
            .read(index, &mut |offset, piece| {
                assert_eq!(offset, read.len() as u64);
                read.extend_from_slice(piece);
            })
            .unwrap();
        assert!(read == bytes.0, "{}", entry.name);
    }
}

fn newest(vault: &Vault) -> (Option<Opened>, Vec<Skipped>) {
    vault.newest(true).unwrap()
}

/// The names in the directory, without the lock.
fn names(place: &Place) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(&place.0).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| name != "lock");
    names.sort();
    names
}

fn path(place: &Place, generation: u64) -> PathBuf {
    place.0.join(format!("{generation:06}.safetensors"))
}

#[test]
fn what_is_saved_comes_back() {
    let place = Place::new();
    let things = things(1);
    let (vault, _) = open(&place, 2);
    assert!(newest(&vault).0.is_none());
    let saver = Saver::new(vault.clone());
    let saved = save(&saver, &things).unwrap();
    assert_eq!((saved.generation, saved.file), (1, fs::canonicalize(path(&place, 1)).unwrap()));
    assert_eq!(saved.bytes, fs::metadata(path(&place, 1)).unwrap().len());
    // Without a copy it is the same file but for its number and its time.
    let entries: Vec<_> = things.iter().map(|(entry, _)| entry.clone()).collect();
    let sources: Vec<_> = things.iter().map(|(_, bytes)| bytes as &dyn Source).collect();
    saver.save(vault.draft().plan(&description(), &entries).unwrap(), &sources).unwrap();
    let data = |generation| fs::read(path(&place, generation)).unwrap()[4096..].to_vec();
    assert!(data(1) == data(2));
    for keep in [true, false] {
        let (opened, skipped) = vault.newest(keep).unwrap();
        let opened = opened.unwrap();
        assert!(opened.path().ends_with("000002.safetensors") && skipped.is_empty());
        assert_eq!(opened.description(), &description());
        assert_eq!(opened.version(), env!("CARGO_PKG_VERSION"));
        assert!(opened.saved_at() > 1.7e9);
        assert_holds(&opened, &things);
    }
}

#[test]
fn the_file_is_what_safetensors_reads() {
    let place = Place::new();
    let things = things(2);
    save(&Saver::new(open(&place, 1).0), &things).unwrap();
    let bytes = fs::read(path(&place, 1)).unwrap();
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    for (entry, wanted) in &things {
        let tensor = file.tensor(&entry.name).unwrap();
        assert!(tensor.data() == wanted.0 && tensor.dtype() == entry.dtype);
        // Aligned to its elements, in a file that is mapped.
        let offset = tensor.data().as_ptr() as usize - bytes.as_ptr() as usize;
        assert!(tensor.data().is_empty() || offset.is_multiple_of(entry.dtype.bitsize() / 8));
    }
    assert_eq!(u64::from_le_bytes(*bytes.first_chunk().unwrap()) % 4096, 4096 - 8);
}

#[test]
fn the_last_are_kept_and_one_spare() {
    let place = Place::new();
    let (vault, _) = open(&place, 2);
    let saver = Saver::new(vault.clone());
    for generation in 1..=5 {
        assert_eq!(save(&saver, &things(generation)).unwrap().generation, generation);
    }
    assert_eq!(names(&place), ["000004.safetensors", "000005.safetensors", "spare"]);
    // Its blocks are used again: the same inode comes back.
    use std::os::unix::fs::MetadataExt;
    let spare = fs::metadata(place.0.join("spare")).unwrap().ino();
    save(&saver, &vec![thing("small", Dtype::U8, &[5], 6)]).unwrap();
    assert_eq!(fs::metadata(path(&place, 6)).unwrap().ino(), spare);
    assert_holds(&newest(&vault).0.unwrap(), &vec![thing("small", Dtype::U8, &[5], 6)]);
    let known: Vec<_> = vault.list(true).unwrap().into_iter().map(|info| (info.generation, info.known)).collect();
    assert_eq!(known, [(6, Known::Whole), (5, Known::Whole)]);
}

#[test]
fn what_somebody_else_has_is_not_overwritten() {
    let place = Place::new();
    let (vault, _) = open(&place, 1);
    let saver = Saver::new(vault);
    save(&saver, &things(1)).unwrap();
    fs::hard_link(path(&place, 1), place.0.join("mine")).unwrap();
    save(&saver, &things(2)).unwrap();
    let reader = fs::File::open(path(&place, 2)).unwrap();
    let before = fs::read(path(&place, 2)).unwrap();
    save(&saver, &things(3)).unwrap();
    assert_eq!(names(&place), ["000003.safetensors", "mine"]);
    save(&saver, &things(4)).unwrap();
    let mut after = vec![0; before.len()];
    std::os::unix::fs::FileExt::read_exact_at(&reader, &mut after, 0).unwrap();
    assert!(before == after);
    assert!(safetensors::SafeTensors::deserialize(&fs::read(place.0.join("mine")).unwrap()).is_ok());
}

#[test]
fn saves_without_a_pause_leave_no_heap_behind() {
    let place = Place::new();
    let (vault, _) = open(&place, 2);
    let saver = Saver::new(vault.clone());
    let things = vec![thing("u", Dtype::F64, &[3], 1)];
    let (entries, sources) = ([things[0].0.clone()], [&things[0].1 as &dyn Source]);
    let mut most = 0;
    for _ in 0..200 {
        drop(begin_save(&saver, &things, &one_after_the_other).unwrap().recv().unwrap().unwrap());
        most = most.max(vault.excess());
        saver.save(vault.draft().plan(&description(), &entries).unwrap(), &sources).unwrap();
        most = most.max(vault.excess());
    }
    // One that is to be retired, and one that was saved meanwhile.
    assert!(most <= 2, "{most} more than are to be kept");
}

#[test]
fn a_broken_generation_is_skipped_and_says_why() {
    let flip = |at: usize| move |bytes: &mut Vec<u8>| bytes[at] ^= 1;
    type Damage = Box<dyn Fn(&mut Vec<u8>)>;
    let damage: [(&str, Damage); 8] = [
        ("first bytes", Box::new(flip(0))),
        ("longer than 100 MB", Box::new(flip(7))),
        ("header is damaged", Box::new(flip(100))),
        ("instead of", Box::new(|bytes| bytes.push(0))),
        ("instead of", Box::new(|bytes| bytes.truncate(5000))),
        ("it ends in its header", Box::new(|bytes| bytes.truncate(50))),
        ("it has 3 bytes", Box::new(|bytes| bytes.truncate(3))),
        ("'u' is not what was saved", Box::new(flip(4096))),
    ];
    for (reason, damage) in damage {
        let place = Place::new();
        let saver = Saver::new(open(&place, 3).0);
        let small = |seed| vec![thing("u", Dtype::F64, &[200], seed)];
        (1..=3).for_each(|seed| drop(save(&saver, &small(seed)).unwrap()));
        drop(saver);
        let mut bytes = fs::read(path(&place, 3)).unwrap();
        damage(&mut bytes);
        fs::write(path(&place, 3), bytes).unwrap();
        let (vault, _) = open(&place, 3);
        let (opened, skipped) = newest(&vault);
        assert_holds(&opened.unwrap(), &small(2));
        assert_eq!(skipped.len(), 1);
        assert!(skipped[0].reason.contains(reason) || reason == "first bytes", "{reason}: {}", skipped[0].reason);
        let infos: Vec<Info> = vault.list(true).unwrap();
        assert!(matches!(&infos[0].known, Known::Broken(why) if *why == skipped[0].reason));
        assert_eq!((infos[1].known.clone(), infos[2].known.clone()), (Known::Whole, Known::Whole));
        // A broken one is none of those that are kept, and its number is not used again.
        let saver = Saver::new(vault);
        assert_eq!(save(&saver, &small(4)).unwrap().generation, 4);
        assert!(path(&place, 1).exists());
        (5..=6).for_each(|seed| drop(save(&saver, &small(seed)).unwrap()));
        assert_eq!(names(&place), ["000004.safetensors", "000005.safetensors", "000006.safetensors", "spare"]);
    }
}

#[test]
fn files_of_the_users_own_belong_to_the_generation() {
    let place = Place::new();
    let (vault, _) = open(&place, 1);
    let saver = Saver::new(vault.clone());
    let with_files = |text: &str| {
        let mut draft = vault.draft();
        let files = draft.files().unwrap();
        fs::create_dir(files.join("deep")).unwrap();
        fs::write(files.join("deep/log"), text).unwrap();
        fs::write(files.join("empty"), "").unwrap();
        saver.save(draft.plan(&description(), &[]).unwrap(), &[]).unwrap();
        vault.tidy(&Default::default());
    };
    with_files("first");
    with_files("second");
    assert_eq!(names(&place), ["000002.files", "000002.safetensors", "spare"]);
    let opened = newest(&vault).0.unwrap();
    let (directory, files) = opened.files();
    let found: Vec<_> = files.iter().map(|file| (&file.name[..], file.bytes)).collect();
    assert_eq!(found, [("deep/log", 6), ("empty", 0)]);
    fs::write(directory.join("deep/log"), "sEcond").unwrap();
    let (none, skipped) = newest(&vault);
    assert!(none.is_none() && skipped[0].reason.contains("'deep/log': not what was saved"), "{skipped:?}");
    // One that is not saved leaves nothing behind.
    let mut draft = vault.draft();
    fs::write(draft.files().unwrap().join("x"), "x").unwrap();
    std::os::unix::fs::symlink("/", draft.files().unwrap().join("link")).unwrap();
    let refused = draft.plan(&description(), &[]).err().unwrap();
    assert!(refused.text.contains("only files and directories"), "{refused}");
    assert_eq!(names(&place), ["000002.files", "000002.safetensors", "spare"]);
}

#[test]
fn one_at_a_time_has_the_directory() {
    let place = Place::new();
    let (vault, _) = open(&place, 1);
    let link = Place::new();
    std::os::unix::fs::symlink(&place.0, link.0.join("link")).unwrap();
    for directory in [&place.0, &link.0.join("link")] {
        let refused = Vault::open(directory, 1, Box::new(|_| ())).err().unwrap();
        assert_eq!(refused.status, Status::Busy);
        assert!(refused.text.contains(&std::process::id().to_string()), "{refused}");
    }
    drop(vault);
    open(&place, 1);
}

#[test]
fn another_process_is_named() {
    let place = Place::new();
    let hold = "import fcntl, os, sys; lock = open('lock', 'w'); fcntl.lockf(lock, fcntl.LOCK_EX); os.write(1, b'x'); sys.stdin.read()";
    let mut other = Command::new("python3")
        .args(["-c", hold])
        .current_dir(&place.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    other.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
    let refused = Vault::open(&place.0, 1, Box::new(|_| ())).err().unwrap();
    assert_eq!(refused.status, Status::Busy);
    assert!(refused.text.ends_with(&format!("in use by process {}", other.id())), "{refused}");
    other.kill().unwrap();
    other.wait().unwrap();
    open(&place, 1);
}

#[test]
fn processes_that_save_once_and_end_do_not_fill_the_disk() {
    let place = Place::new();
    for seed in 1..6 {
        let saver = Saver::new(open(&place, 1).0);
        let plan = saver.vault().draft().plan(&description(), &[]).unwrap();
        saver.save_copy(plan, &[], &one_after_the_other, Box::new(|saved| drop(saved.unwrap()))).unwrap();
        drop(saver);
        assert!(names(&place).len() <= 3, "{seed}: {:?}", names(&place));
        assert!(path(&place, seed).exists());
    }
}

#[test]
fn a_transfer_that_must_be_aligned_and_is_not_goes_through_the_cache() {
    let place = Place::new();
    let disk = Disk::to_write(&place.0.join("file"), true).unwrap();
    let bytes: Vec<u8> = (0..20_000u32).map(|i| (i / 3) as u8).collect();
    disk.write_at(&bytes[1..], 1).unwrap();
    disk.flush().unwrap();
    let mut read = vec![0; 24_000];
    disk.read_at(&mut read, 19_900, 100).unwrap();
    assert!(read[..19_900] == bytes[100..]);
    assert!(matches!(disk.read_at(&mut read, 19_901, 100), Err(Unread::Broken(why)) if why.contains("20000")));
}

#[test]
fn what_a_killed_process_left_is_cleaned_up() {
    let place = Place::new();
    drop(save(&Saver::new(open(&place, 2).0), &things(1)).unwrap());
    fs::write(place.0.join("spare"), "half").unwrap();
    fs::create_dir(place.0.join("000007.files")).unwrap();
    fs::write(place.0.join("000007.files/x"), "x").unwrap();
    fs::write(place.0.join("notes.txt"), "the user's").unwrap();
    let (vault, _) = open(&place, 2);
    assert_eq!(names(&place), ["000001.safetensors", "notes.txt", "spare"]);
    let saver = Saver::new(vault);
    assert_eq!(save(&saver, &things(2)).unwrap().generation, 8);
    assert_eq!(names(&place), ["000001.safetensors", "000008.safetensors", "notes.txt"]);
}

#[test]
fn every_byte_of_the_header_counts() {
    let place = Place::new();
    save(&Saver::new(open(&place, 1).0), &vec![thing("u", Dtype::U16, &[3], 1)]).unwrap();
    let bytes = fs::read(path(&place, 1)).unwrap();
    let length = bytes.len() as u64;
    assert!(parse(&bytes[..4096], length).is_ok());
    for at in 0..4096 {
        for bit in [1, 0x20, 0x80] {
            let mut flipped = bytes[..4096].to_vec();
            flipped[at] ^= bit;
            assert!(parse(&flipped, length).is_err(), "byte {at}");
        }
    }
    (0..4096).for_each(|short| assert!(parse(&bytes[..short], length).is_err()));
}

#[test]
fn without_the_direct_way_it_is_the_same() {
    // Memory file systems have taken O_DIRECT only lately, and without effect: both ways are gone here.
    let memory = Path::new("/dev/shm").join(format!("park-store-{}", std::process::id()));
    fs::create_dir_all(&memory).unwrap();
    let place = Place(memory);
    let (vault, _) = open(&place, 1);
    let saver = Saver::new(vault.clone());
    for seed in 1..4 {
        save(&saver, &things(seed)).unwrap();
        assert_holds(&newest(&vault).0.unwrap(), &things(seed));
    }
}

#[test]
fn a_slow_medium_is_written_to_while_the_loop_copies() {
    let place = Place::new();
    let saver = Saver::new(open(&place, 1).0);
    let things = things(5);
    saver.vault().speed.measured(1 << 30, Instant::now() - Duration::from_secs(1));
    let spare = place.0.join("spare");
    let has_data = || fs::read(&spare).is_ok_and(|bytes| bytes.iter().any(|&byte| byte != 0));
    let saved = begin_save(&saver, &things, &|count, part| {
        part(0);
        while !has_data() {
            std::thread::sleep(Duration::from_millis(1));
        }
        (1..count).for_each(part);
    });
    saved.unwrap().recv().unwrap().unwrap();
    assert_holds(&newest(saver.vault()).0.unwrap(), &things);
}

#[test]
fn a_copy_that_breaks_off_is_an_error_and_no_generation() {
    for slow in [false, true] {
        let place = Place::new();
        let saver = Saver::new(open(&place, 1).0);
        if slow {
            saver.vault().speed.measured(1 << 30, Instant::now() - Duration::from_secs(1));
        }
        let saved = begin_save(&saver, &things(3), &|count, part| (1..count).for_each(part)).unwrap();
        assert!(saved.recv().unwrap().unwrap_err().text.contains("while it copied"));
        assert!(saver.wait(None));
        assert!(!path(&place, 1).exists());
        assert_eq!(save(&saver, &things(3)).unwrap().generation, 2);
    }
}
