//! Folders as they are found: new, cut, removed, of another ledger, taken.

use super::*;
use crate::seam::{SeededEntropy, SystemVault};

fn open(folder: &Path, epoch: &str) -> io::Result<Files> {
    let vault: Arc<dyn Vault> = Arc::new(SystemVault);
    Files::open(&vault, folder, 10, epoch, &SeededEntropy::new(1))
}

fn written(folder: &Path, lines: &[&str], commit: bool) -> Files {
    let mut files = open(folder, "one").unwrap();
    for line in lines {
        files.append(line.as_bytes()).unwrap();
    }
    files.sync().unwrap();
    if commit {
        files.commit(Pending::from([(417, vec!["1-0".to_owned()])])).unwrap();
    }
    files
}

fn content(folder: &Path) -> Vec<(u64, String)> {
    let all = SystemVault.list(folder).unwrap();
    let read = |path: &PathBuf| Some((number(path)?, std::fs::read_to_string(path).unwrap()));
    all.iter().filter_map(read).collect()
}

fn is(folder: &Path, wanted: &[(u64, &str)]) {
    let wanted: Vec<_> = wanted.iter().map(|(n, text)| (*n, (*text).to_owned())).collect();
    assert_eq!(content(folder), wanted);
}

#[test]
fn what_does_not_count_is_cut_over_several_files() {
    let folder = tempfile::tempdir().unwrap();
    drop(written(folder.path(), &["aaaa\n", "bbbb\n", "cc\n"], true));
    is(folder.path(), &[(1, "aaaa\nbbbb\n"), (2, "cc\n")]);
    drop(written(folder.path(), &["dddd\n", "eeeeeeeeeeeeeeee\n", "f\n"], false));
    is(
        folder.path(),
        &[(1, "aaaa\nbbbb\n"), (2, "cc\ndddd\n"), (3, "eeeeeeeeeeeeeeee\n"), (4, "f\n")],
    );
    let files = open(folder.path(), "one").unwrap();
    is(folder.path(), &[(1, "aaaa\nbbbb\n"), (2, "cc\n")]);
    assert_eq!(files.checkpoint().pending, Pending::from([(417, vec!["1-0".to_owned()])]));
}

#[test]
fn one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let files = written(folder.path(), &["a\n"], true);
    assert_eq!(open(folder.path(), "one").unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(files);
    drop(open(folder.path(), "one").unwrap());
}

#[test]
fn a_file_that_was_cut_or_removed_is_left_and_nothing_is_taken_out_for_it() {
    for remove in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        drop(written(folder.path(), &["aaaa\n"], true));
        let path = path(folder.path(), 1);
        if remove { std::fs::remove_file(&path) } else { std::fs::write(&path, "aa") }.unwrap();
        let files = open(folder.path(), "one").unwrap();
        assert_eq!((files.checkpoint().file, files.checkpoint().length), (2, 0));
        assert!(files.checkpoint().pending.is_empty());
    }
}

#[test]
fn another_ledger_begins_another_file() {
    let folder = tempfile::tempdir().unwrap();
    drop(written(folder.path(), &["aaaa\n"], true));
    drop(written(folder.path(), &["bbbb\n"], false));
    let files = open(folder.path(), "two").unwrap();
    assert_eq!((files.checkpoint().file, files.checkpoint().epoch.as_str()), (2, "two"));
    assert!(files.checkpoint().pending.is_empty());
    is(folder.path(), &[(1, "aaaa\n"), (2, "")]);
}

#[test]
fn without_a_checkpoint_nothing_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    drop(written(folder.path(), &["aaaa\n"], true));
    std::fs::remove_file(folder.path().join(CHECKPOINT)).unwrap();
    let files = open(folder.path(), "one").unwrap();
    assert_eq!(files.checkpoint().file, 2);
    is(folder.path(), &[(1, "aaaa\n"), (2, "")]);
}

#[test]
fn a_checkpoint_that_cannot_be_read_stops_everything() {
    let folder = tempfile::tempdir().unwrap();
    drop(written(folder.path(), &["aaaa\n"], true));
    std::fs::write(folder.path().join(CHECKPOINT), "{").unwrap();
    assert!(open(folder.path(), "one").is_err());
    is(folder.path(), &[(1, "aaaa\n")]);
}
