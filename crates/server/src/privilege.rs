//! What the process may do: root is given up once the ports are taken, and the number of open files is raised.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::process::{Gid, Resource, Rlimit, Uid, geteuid, getrlimit, setrlimit};
use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};

/// Who runs the house when root starts it and the configuration names nobody.
const USER: &str = "packetboat";

/// A user of this system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    name: String,
    uid: u32,
    gid: u32,
}

/// Whom to become: the configured user, else `packetboat` if there is one. `None`: stay who we are.
pub fn user(configured: Option<&str>) -> Result<Option<User>, String> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let known = std::fs::read_to_string("/etc/passwd").map_err(|error| format!("/etc/passwd: {error}"))?;
    match configured {
        Some(name) => find(&known, name)
            .map(Some)
            .ok_or_else(|| format!("there is no user {name}; make it with: useradd --system {name}")),
        None => Ok(find(&known, USER)),
    }
}

/// Whether root has nobody to become.
pub fn stays_root(user: Option<&User>) -> bool {
    user.is_none() && geteuid().is_root()
}

/// passwd(5): name, password, uid, gid, …
fn find(known: &str, name: &str) -> Option<User> {
    known.lines().find_map(|line| {
        let mut fields = line.split(':');
        let found = fields.next()? == name;
        let (uid, gid) = (fields.nth(1)?.parse().ok()?, fields.next()?.parse().ok()?);
        found.then(|| User { name: name.to_owned(), uid, gid })
    })
}

/// Gives the data folder with all in it to the user, if it is not theirs. Root does this before it becomes them.
pub fn hand_over(folder: &Path, user: &User) -> Result<(), String> {
    let fail = |error: std::io::Error| format!("{}: {error}", folder.display());
    if folder.metadata().map_err(fail)?.uid() != user.uid {
        give(folder, user).map_err(fail)?;
    }
    Ok(())
}

fn give(path: &Path, user: &User) -> std::io::Result<()> {
    // Never through a link: what lies elsewhere is not ours to give.
    std::os::unix::fs::lchown(path, Some(user.uid), Some(user.gid))?;
    if path.symlink_metadata()?.is_dir() {
        for entry in std::fs::read_dir(path)? {
            give(&entry?.path(), user)?;
        }
    }
    Ok(())
}

/// Becomes the user, for good.
///
/// Identity belongs to a thread, and threads made later inherit it: to be called before any is made.
pub fn become_user(user: &User) -> Result<(), String> {
    let threads = std::fs::read_dir("/proc/self/task").map(Iterator::count);
    assert!(threads.is_ok_and(|count| count == 1), "root is given up while there is one thread");
    let fail = |error: rustix::io::Errno| format!("cannot become {}: {error}", user.name);
    let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
    set_thread_groups(&[gid]).map_err(fail)?;
    set_thread_res_gid(gid, gid, gid).map_err(fail)?;
    set_thread_res_uid(uid, uid, uid).map_err(fail)
}

/// Lets the process open as many files as the system allows: a connection is one.
pub fn raise_open_files() {
    let now = getrlimit(Resource::Nofile);
    let most = Rlimit { current: now.maximum, maximum: now.maximum };
    if now.current != now.maximum && setrlimit(Resource::Nofile, most).is_err() {
        tracing::warn!(limit = ?now.current, "the number of open files could not be raised");
    }
}

/// The name this machine goes by, if it is a whole one.
pub fn hostname() -> Option<String> {
    let name = rustix::system::uname().nodename().to_str().ok()?.to_ascii_lowercase();
    let whole = name.contains('.') && !name.starts_with('.') && !name.ends_with('.');
    (whole && OsStr::new(&name) != "localhost.localdomain").then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_found_by_their_whole_name() {
        let known = "root:x:0:0:root:/root:/bin/sh\nmail:x:8:12:mail:/var/mail:/usr/sbin/nologin\nbad:x\n";
        assert_eq!(find(known, "mail"), Some(User { name: "mail".into(), uid: 8, gid: 12 }));
        assert_eq!(find(known, "mai"), None);
        assert_eq!(find(known, "bad"), None);
    }
}
