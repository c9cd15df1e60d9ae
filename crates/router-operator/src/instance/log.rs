//! A log file that does not grow without end, and reading it while it is written.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// Bytes of a log file at most.
pub const FILE_BYTES_MAX: u64 = 10 * 1024 * 1024;
/// Older files kept beside it.
pub const FILES_MAX: u32 = 4;
/// Time between two looks for new lines.
const POLL: Duration = Duration::from_millis(100);
/// Bytes from the end of a file in which its last lines are looked for.
const TAIL_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Opens a log to append to it; only its owner can read it.
pub fn open(path: &Path) -> io::Result<File> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        super::create_private_folder(folder)?;
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// A log file that is set aside when it is full: `x.log` becomes `x.log.1`, that one `x.log.2`.
#[derive(Debug)]
pub struct Rotating {
    path: PathBuf,
    file: File,
    bytes: u64,
    bytes_max: u64,
}

impl Rotating {
    /// Appends to `path`.
    pub fn open(path: &Path) -> io::Result<Self> {
        Self::with_limit(path, FILE_BYTES_MAX)
    }

    fn with_limit(path: &Path, bytes_max: u64) -> io::Result<Self> {
        let file = open(path)?;
        let bytes = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, bytes, bytes_max })
    }

    /// A file that cannot be set aside is written on: losing lines is worse than a long file.
    fn rotate(&mut self) {
        for number in (1..FILES_MAX).rev() {
            let _ = fs::rename(numbered(&self.path, number), numbered(&self.path, number + 1));
        }
        if fs::rename(&self.path, numbered(&self.path, 1)).is_ok()
            && let Ok(file) = open(&self.path)
        {
            self.file = file;
        }
        self.bytes = 0;
    }
}

impl Write for Rotating {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let length = u64::try_from(line.len()).unwrap_or(u64::MAX);
        if 0 < self.bytes && self.bytes_max < self.bytes.saturating_add(length) {
            self.rotate();
        }
        let written = self.file.write(line)?;
        self.bytes = self.bytes.saturating_add(u64::try_from(written).unwrap_or(u64::MAX));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

/// Writes the last `lines` lines of `path` to `out`.
pub fn tail(path: &Path, lines: usize, out: &mut dyn Write) -> io::Result<()> {
    let file = File::open(path)?;
    from_tail(file, lines, out).map(|_| ())
}

/// Writes the last `lines` lines of `path` to `out`, and then every new one, until `out` breaks or
/// `is_over` says so.
pub fn follow(
    path: &Path,
    lines: usize,
    out: &mut dyn Write,
    is_over: &dyn Fn() -> bool,
) -> io::Result<()> {
    let mut file = from_tail(File::open(path)?, lines, out)?;
    loop {
        let copied = io::copy(&mut file, out)?;
        out.flush()?;
        if 0 < copied {
            continue;
        }
        if is_replaced(path, &file) {
            file = File::open(path)?;
            continue;
        }
        if is_over() {
            return Ok(());
        }
        thread::sleep(POLL);
    }
}

/// Whether the file of that name is another one by now.
fn is_replaced(path: &Path, file: &File) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let inode = |meta: fs::Metadata| (meta.dev(), meta.ino());
        matches!((fs::metadata(path), file.metadata()),
            (Ok(now), Ok(own)) if inode(now.clone()) != inode(own.clone()))
    }
    #[cfg(not(unix))]
    {
        matches!((fs::metadata(path), file.metadata()), (Ok(now), Ok(own)) if now.len() < own.len())
    }
}

fn from_tail(mut file: File, lines: usize, out: &mut dyn Write) -> io::Result<File> {
    let length = file.metadata()?.len();
    let start = length.saturating_sub(TAIL_BYTES_MAX);
    file.seek(SeekFrom::Start(start))?;
    let mut kept = std::collections::VecDeque::new();
    {
        let mut reader = BufReader::new((&mut file).take(length - start));
        let mut line = Vec::new();
        // What begins in the middle is no line.
        if 0 < start {
            reader.read_until(b'\n', &mut line)?;
            line.clear();
        }
        while 0 < reader.read_until(b'\n', &mut line)? {
            kept.push_back(std::mem::take(&mut line));
            if lines < kept.len() {
                kept.pop_front();
            }
        }
    }
    for line in kept {
        out.write_all(&line)?;
    }
    out.flush()?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_full_file_is_set_aside_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/x.log");
        let mut log = Rotating::with_limit(&path, 10).unwrap();
        for number in 0..7 {
            writeln!(log, "line {number}").unwrap();
        }
        let text = |path: &Path| fs::read_to_string(path).unwrap();
        assert_eq!(text(&path), "line 6\n");
        assert_eq!(text(&numbered(&path, 1)), "line 5\n");
        assert_eq!(text(&numbered(&path, FILES_MAX)), "line 2\n");
        assert!(!numbered(&path, FILES_MAX + 1).exists());
    }

    #[test]
    fn the_last_lines_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        fs::write(&path, "one\ntwo\nthree\nfour").unwrap();
        for (lines, expect) in [(2, "three\nfour"), (0, ""), (9, "one\ntwo\nthree\nfour")] {
            let mut out = Vec::new();
            tail(&path, lines, &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), expect);
        }
    }

    #[test]
    fn following_goes_on_in_the_next_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.log");
        let mut log = Rotating::with_limit(&path, 10).unwrap();
        writeln!(log, "first").unwrap();
        let (mut out, looks) = (Vec::new(), Cell::new(0));
        let log = std::cell::RefCell::new(log);
        follow(&path, 1, &mut out, &|| {
            looks.set(looks.get() + 1);
            if looks.get() == 1 {
                writeln!(log.borrow_mut(), "second").unwrap();
            }
            looks.get() == 2
        })
        .unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "first\nsecond\n");
        assert!(numbered(&path, 1).exists());
    }
}
