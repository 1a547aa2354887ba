//! The running house: its doors, the connections behind them, its chores, reload and drain.
//!
//! The order of a start matters: ports are taken and certificates read while we may still be root; then root is
//! given up, and only then are threads made and the data opened. Nothing is accepted before everything stands.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use mail::Moment;
use postmaster::Policy;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::admin;
use crate::cert::Authority;
use crate::clock::Clock;
use crate::config::{self, Config};
use crate::conversation::{Manner, Settings, converse};
use crate::door::{Door, Security, Service};
use crate::founding::{self, Founded, Founding};
use crate::listen::{Crowd, Streaks, bind, holder, turn_away};
use crate::office::{self, Control, Office};
use crate::privilege;
use crate::stream::Securer;
use crate::tls::{Handshaker, Keeper};

/// How long open conversations may take to end when the house closes.
const DRAIN: Duration = Duration::from_secs(30);
/// How long tasks may take to end after that.
const LAST: Duration = Duration::from_secs(2);
/// How often certificates are looked at.
const CERTIFICATES: Duration = Duration::from_secs(30);
/// How often accounts are looked after: retrieved POP3 mail that is due, remains of removed mailboxes and accounts.
const UPKEEP: Duration = Duration::from_secs(3600);
/// The first time.
const FIRST_UPKEEP: Duration = Duration::from_secs(60);
/// After a connection that could not be accepted: the cause, too many open files, does not pass at once.
const BREATH: Duration = Duration::from_millis(100);

/// What is to be run.
#[derive(Debug)]
pub struct Plan {
    /// What the administrator decided.
    pub config: Config,
    /// Where it was read, to be read again at a reload.
    pub config_file: Option<PathBuf>,
    /// What is made first.
    pub founding: Founding,
}

/// What stands once the house is open.
#[derive(Debug)]
pub struct Opened {
    /// The doors that accept.
    pub doors: Vec<Door>,
    /// The accounts that were asked for.
    pub founded: Vec<Founded>,
    /// The certificate that a client must trust, if it is our own authority's.
    pub authority: Option<PathBuf>,
    /// Things an administrator should know, in words.
    pub warnings: Vec<String>,
}

/// Runs a house until it is told to stop. `opened` is called once, when all doors accept. The error lists everything
/// that keeps it from opening, each with what to do.
pub fn run(plan: Plan, opened: impl FnOnce(&Opened)) -> Result<(), Vec<String>> {
    let one = |why: String| vec![why];
    let mut warnings = Vec::new();
    let bound = bind_all(&plan.config.doors, plan.config.standard)?;
    let user = privilege::user(plan.config.user.as_deref()).map_err(one)?;
    office::make_private(&plan.config.data).map_err(one)?;
    office::make_private(&office::tls_folder(&plan.config.data)).map_err(one)?;
    let keeper = match plan.config.certificates.is_empty() {
        true => None,
        false => Some(Keeper::read(plan.config.certificates.clone()).map_err(one)?),
    };
    if privilege::stays_root(user.as_ref()) {
        warnings.push(
            "running as root: make a user with `useradd --system packetboat`, and root is given up after the ports \
             are taken"
                .to_owned(),
        );
    }
    if let Some(user) = &user {
        privilege::hand_over(&plan.config.data, user).map_err(one)?;
        privilege::become_user(user).map_err(one)?;
    }
    privilege::raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("packetboat")
        .build()
        .map_err(|error| one(format!("no threads can be started: {error}")))?;
    let done = runtime.block_on(live(plan, bound, keeper, warnings, opened)).map_err(one);
    runtime.shutdown_timeout(LAST);
    done
}

/// Takes every port, or says of each that cannot be taken why and who has it. `lenient`: addresses that this machine
/// does not have (IPv6 where there is none) are left out with a word in the log.
fn bind_all(doors: &[Door], lenient: bool) -> Result<Vec<(Door, TcpListener)>, Vec<String>> {
    let (mut bound, mut problems) = (Vec::new(), Vec::new());
    for door in doors {
        match bind(door.address) {
            Ok(listener) => bound.push((*door, listener)),
            Err(error) if lenient && absent(&error) => {
                tracing::info!(address = %door.address, "no such address on this machine; left out");
            }
            Err(error) => problems.push(explain(door, &error)),
        }
    }
    match (problems.is_empty(), bound.is_empty()) {
        (true, false) => Ok(bound),
        (true, true) => Err(vec!["there is no address to listen on".into()]),
        (false, _) => Err(problems),
    }
}

fn absent(error: &std::io::Error) -> bool {
    use rustix::io::Errno;
    let code = error.raw_os_error();
    [Errno::ADDRNOTAVAIL, Errno::AFNOSUPPORT].iter().any(|known| code == Some(known.raw_os_error()))
}

fn explain(door: &Door, error: &std::io::Error) -> String {
    let (service, address) = (door.service, door.address);
    let advice = match error.kind() {
        std::io::ErrorKind::AddrInUse => match holder(address) {
            Some(holder) => format!("{holder} has it; stop that, or give this door another port"),
            None => "another program has it; stop that, or give this door another port".to_owned(),
        },
        std::io::ErrorKind::PermissionDenied => {
            "ports below 1024 need root (given up afterwards), CAP_NET_BIND_SERVICE, or --port-offset"
                .to_owned()
        }
        _ => error.to_string(),
    };
    format!("{service} cannot listen on {address}: {advice}")
}

async fn live(
    plan: Plan,
    bound: Vec<(Door, TcpListener)>,
    keeper: Option<Arc<Keeper>>,
    mut warnings: Vec<String>,
    opened: impl FnOnce(&Opened),
) -> Result<(), String> {
    let mut signals = Signals::new().map_err(|error| format!("signals cannot be waited for: {error}"))?;
    let office = Office::open(&plan.config.data, policy(&plan.config)).await?;
    let founded = founding::found(&office, &plan.founding).await?;
    let own = keeper.is_none();
    let keeper = match keeper {
        Some(keeper) => keeper,
        None => own_certificate(&office, &plan.config.hostname).await?,
    };
    let drain = watch::Sender::new(false);
    let (alive, gone) = mpsc::channel(1);
    let house = House::new(plan, office, keeper, own, drain.clone(), alive)?;
    let admin = admin_socket(&house.office.data)?;
    let control: Arc<dyn Control> = house.clone();
    tokio::spawn(admin::serve(admin, house.office.clone(), Some(control), drain.subscribe()));
    house.open(bound)?;
    let upkeep = tokio::spawn(upkeep(house.clone()));
    let doors = house.standing().values().map(|standing| standing.manner.load().door).collect();
    let authority = own.then(|| office::tls_folder(&house.office.data).join("ca.pem"));
    warnings.extend(house.damage().await);
    warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    opened(&Opened { doors, founded, authority, warnings });
    tell_systemd(&[sd_notify::NotifyState::Ready]);
    tracing::info!(hostname = %house.config().hostname, "open");
    while signals.next().await == Told::Reload {
        house.reload_and_log();
    }
    upkeep.abort();
    close(house, gone, &mut signals).await;
    Ok(())
}

/// No new connection; open ones finish what is in flight, say goodbye, and are gone after `DRAIN` at the latest.
async fn close(house: Arc<House>, mut gone: mpsc::Receiver<()>, signals: &mut Signals) {
    tell_systemd(&[sd_notify::NotifyState::Stopping]);
    let open = house.crowd.len();
    tracing::info!(open, "closing");
    for standing in house.standing().values() {
        standing.task.abort();
    }
    let _ = house.drain.send_replace(true);
    let _ = std::fs::remove_file(office::socket(&house.office.data));
    let crowd = house.crowd.clone();
    drop(house);
    // Each connection and each door holds a sender; when the last is gone, this ends.
    tokio::select! {
        ended = timeout(DRAIN, gone.recv()) => match ended {
            Ok(_) => tracing::info!("closed"),
            Err(_) => tracing::warn!(left = crowd.len(), "closed with connections still open"),
        },
        () = signals.stop() => tracing::warn!(left = crowd.len(), "closed at once, on a second signal"),
    }
}

fn tell_systemd(states: &[sd_notify::NotifyState<'_>]) {
    // Without systemd there is nobody to tell.
    let _ = sd_notify::notify(states);
}

fn policy(config: &Config) -> Policy {
    Policy {
        hostname: config.hostname.clone(),
        message_size: config.limits.message_size,
        sessions_per_account: config.limits.sessions_per_account,
        separator: Some('+'),
        pop_login_delay: None,
    }
}

/// The certificate of our own authority, for every name that a client may know us by.
async fn own_certificate(office: &Office, hostname: &str) -> Result<Arc<Keeper>, String> {
    let files = own_files(office, hostname).await?;
    Keeper::read(vec![files])
}

async fn own_files(office: &Office, hostname: &str) -> Result<crate::tls::CertFiles, String> {
    let domains = office.postmaster.store().directory().domains().await.map_err(|error| error.to_string())?;
    let mut names = vec![hostname.to_ascii_lowercase()];
    for domain in domains {
        names.extend([format!("mail.{}", domain.name), domain.name]);
    }
    names.push("localhost".into());
    let mut seen = std::collections::HashSet::new();
    names.retain(|name| seen.insert(name.clone()));
    let now = office.clock.now();
    Authority::open(&office::tls_folder(&office.data), now)?.certificate(&names, now)
}

/// The socket by which `packetboat` commands reach us. We hold the data folder, so an old one is nobody's.
fn admin_socket(data: &Path) -> Result<tokio::net::UnixListener, String> {
    use std::os::unix::fs::PermissionsExt;
    let path = office::socket(data);
    let fail = |error: std::io::Error| format!("{}: {error}", path.display());
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(fail(error)),
        _ => {}
    }
    let listener = tokio::net::UnixListener::bind(&path).map_err(fail)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).map_err(fail)?;
    Ok(listener)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Stop,
    Reload,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> std::io::Result<Signals> {
        Ok(Signals {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.hangup.recv() => Told::Reload,
        }
    }

    async fn stop(&mut self) {
        while self.next().await == Told::Reload {}
    }
}

/// A door that accepts.
struct Standing {
    /// How its next connections are treated; a reload puts another here.
    manner: Arc<ArcSwap<Manner>>,
    task: JoinHandle<()>,
}

/// A running house.
pub struct House {
    office: Office,
    config: ArcSwap<Config>,
    config_file: Option<PathBuf>,
    keeper: Arc<Keeper>,
    /// The certificate is of our own authority.
    own: bool,
    securers: BTreeMap<&'static [u8], Arc<dyn Securer>>,
    standing: Mutex<BTreeMap<SocketAddr, Standing>>,
    crowd: Arc<Crowd>,
    streaks: Arc<Streaks>,
    /// Connections open from one address at most.
    most: Arc<AtomicU32>,
    drain: watch::Sender<bool>,
    alive: mpsc::Sender<()>,
    since: Moment,
}

impl House {
    fn new(
        plan: Plan,
        office: Office,
        keeper: Arc<Keeper>,
        own: bool,
        drain: watch::Sender<bool>,
        alive: mpsc::Sender<()>,
    ) -> Result<Arc<House>, String> {
        let mut securers: BTreeMap<&'static [u8], Arc<dyn Securer>> = BTreeMap::new();
        for service in [Service::Smtp, Service::Imap, Service::Pop3] {
            let handshaker = Handshaker::new(keeper.clone(), service).map_err(|error| error.to_string())?;
            securers.insert(service.alpn(), Arc::new(handshaker));
        }
        let most = Arc::new(AtomicU32::new(plan.config.limits.connections_per_address));
        Ok(Arc::new(House {
            since: office.clock.now(),
            office,
            config: ArcSwap::from_pointee(plan.config),
            config_file: plan.config_file,
            keeper,
            own,
            securers,
            standing: Mutex::default(),
            crowd: Arc::default(),
            streaks: Arc::default(),
            most,
            drain,
            alive,
        }))
    }

    fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    fn standing(&self) -> MutexGuard<'_, BTreeMap<SocketAddr, Standing>> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to accept.
    fn open(&self, bound: Vec<(Door, TcpListener)>) -> Result<(), String> {
        let settings = settings(&self.config());
        for (door, listener) in bound {
            let listener = tokio::net::TcpListener::from_std(listener)
                .map_err(|error| format!("{}: {error}", door.address))?;
            let manner = Arc::new(ArcSwap::from_pointee(self.manner(door, &settings)));
            let entrance = Entrance {
                listener,
                manner: manner.clone(),
                office: self.office.clone(),
                crowd: self.crowd.clone(),
                most: self.most.clone(),
                alive: self.alive.clone(),
            };
            let task = tokio::spawn(entrance.accept());
            self.standing().insert(door.address, Standing { manner, task });
        }
        Ok(())
    }

    fn manner(&self, door: Door, settings: &Settings) -> Manner {
        Manner {
            door,
            securer: self.securers[door.service.alpn()].clone(),
            settings: settings.clone(),
            streaks: self.streaks.clone(),
            clock: Clock,
            drain: self.drain.subscribe(),
        }
    }

    /// What is damaged, in words; an administrator should hear of it at every start.
    async fn damage(&self) -> Vec<String> {
        let Some(maintenance) = self.office.ledger.maintenance() else { return Vec::new() };
        match maintenance.stats().await {
            Ok(stats) => stats
                .findings
                .iter()
                .map(|found| format!("damaged data, see `packetboat verify`: {found}"))
                .collect(),
            Err(error) => vec![error.to_string()],
        }
    }

    fn reload_and_log(&self) {
        tell_systemd(&[sd_notify::NotifyState::Reloading]);
        match self.reload() {
            Ok(changes) if changes.is_empty() => tracing::info!("reloaded; nothing has changed"),
            Ok(changes) => changes.iter().for_each(|change| tracing::info!("reloaded: {change}")),
            Err(problems) => problems
                .iter()
                .for_each(|problem| tracing::error!("not reloaded, all stays as it was: {problem}")),
        }
        tell_systemd(&[sd_notify::NotifyState::Ready]);
    }

    fn read_config(&self) -> Result<Option<Config>, Vec<String>> {
        let Some(file) = &self.config_file else { return Ok(None) };
        let text = std::fs::read_to_string(file).map_err(|e| vec![format!("{}: {e}", file.display())])?;
        config::parse(&text).map(Some).map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }

    /// Opens and closes doors until they are those of `wanted`. Ports that cannot be taken change nothing.
    fn rearrange(&self, wanted: &Config) -> Result<Vec<String>, Vec<String>> {
        let known: Vec<SocketAddr> = self.standing().keys().copied().collect();
        let new: Vec<Door> =
            wanted.doors.iter().filter(|door| !known.contains(&door.address)).copied().collect();
        let bound = match new.is_empty() {
            true => Vec::new(),
            false => bind_all(&new, wanted.standard)?,
        };
        let mut changes: Vec<String> =
            new.iter().map(|door| format!("{} listens on {} now", door.service, door.address)).collect();
        let settings = settings(wanted);
        let mut standing = self.standing();
        standing.retain(|address, at| {
            let keep = wanted.doors.iter().any(|door| door.address == *address);
            if !keep {
                at.task.abort();
                changes.push(format!("{address} is closed; who is inside may stay"));
            }
            keep
        });
        for door in &wanted.doors {
            if let Some(at) = standing.get(&door.address) {
                let before = at.manner.load().door;
                if before != *door {
                    changes.push(format!("{} is {} with {} now", door.address, door.service, door.security));
                }
                at.manner.store(Arc::new(self.manner(*door, &settings)));
            }
        }
        drop(standing);
        self.open(bound).map_err(|why| vec![why])?;
        Ok(changes)
    }

    /// Renews our own certificate when its time comes or a domain has come, and reads files that have changed.
    async fn look_after_certificates(&self) {
        if self.own {
            match own_files(&self.office, &self.config().hostname).await {
                Ok(_) => {}
                Err(error) => tracing::error!(%error, "our own certificate could not be renewed"),
            }
        }
        match self.keeper.refresh() {
            Ok(true) => tracing::info!("certificates have changed and are in use"),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "certificates could not be read; the old ones stay in use"),
        }
    }

    /// One round over everything kept that is due to go.
    async fn tidy(&self) -> Result<(), store::Error> {
        let store = self.office.postmaster.store();
        let directory = store.directory();
        for account in directory.gone().await? {
            store.clear(account).await?;
        }
        let mut after = None;
        loop {
            let page = directory.accounts(after).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.id);
            for account in &page {
                let purged = store.purge(account.id).await?;
                let expired = store.expire_maildrop(account.id, self.office.clock.now()).await?;
                if purged + expired > 0 {
                    tracing::info!(account = account.id.0, purged, expired, "tidied");
                }
            }
        }
    }
}

impl Control for House {
    fn status(&self) -> serde_json::Value {
        let config = self.config();
        let doors: Vec<serde_json::Value> = self
            .standing()
            .values()
            .map(|standing| {
                let door = standing.manner.load().door;
                serde_json::json!({
                    "service": door.service, "security": door.security, "address": door.address.to_string(),
                    "audience": door.service.audience(), "open": !standing.task.is_finished(),
                })
            })
            .collect();
        serde_json::json!({
            "version": env!("CARGO_PKG_VERSION"),
            "process": std::process::id(),
            "since": self.since.seconds(),
            "uptime_seconds": self.office.clock.now().seconds().saturating_sub(self.since.seconds()),
            "hostname": config.hostname,
            "own_authority": self.own,
            "connections": self.crowd.len(),
            "doors": doors,
        })
    }

    fn reload(&self) -> Result<Vec<String>, Vec<String>> {
        let mut changes = Vec::new();
        if let Some(wanted) = self.read_config()? {
            let before = self.config();
            if !wanted.certificates.is_empty() && wanted.certificates != before.certificates {
                self.keeper.replace(wanted.certificates.clone()).map_err(|why| vec![why])?;
                changes.push("other certificate files are in use".into());
            }
            changes.extend(self.rearrange(&wanted)?);
            self.most.store(wanted.limits.connections_per_address, Ordering::Relaxed);
            if wanted.limits.connections_per_address != before.limits.connections_per_address {
                changes.push(format!("{} connections an address", wanted.limits.connections_per_address));
            }
            let waits = wanted.hostname != before.hostname
                || wanted.limits.message_size != before.limits.message_size
                || wanted.limits.sessions_per_account != before.limits.sessions_per_account
                || wanted.data != before.data
                || wanted.user != before.user
                || wanted.certificates.is_empty() != before.certificates.is_empty();
            if waits {
                changes.push(
                    "hostname, data, user, message-size, sessions-per-account, and whether certificates are your \
                     own take effect at the next start"
                        .into(),
                );
            }
            self.config.store(Arc::new(wanted));
        }
        if self.keeper.refresh().map_err(|why| vec![why])? {
            changes.push("certificates have changed and are in use".into());
        }
        Ok(changes)
    }
}

fn settings(config: &Config) -> Settings {
    let port = |service, security| {
        config
            .doors
            .iter()
            .find(|door| door.service == service && door.security == security)
            .map(|door| door.address.port())
    };
    let submission: Vec<String> = [(Security::StartTls, "STARTTLS"), (Security::Implicit, "TLS")]
        .into_iter()
        .filter_map(|(security, name)| Some(format!("{} ({name})", port(Service::Submission, security)?)))
        .collect();
    Settings {
        hostname: config.hostname.clone(),
        message_size: config.limits.message_size,
        plain_login: config.plain_login,
        submission_doors: match submission.is_empty() {
            true => "the submission port".into(),
            false => submission.join(" or "),
        },
        starttls: Service::ALL
            .into_iter()
            .filter_map(|service| Some((service, port(service, Security::StartTls)?)))
            .collect(),
        pop3_tls: port(Service::Pop3, Security::Implicit).unwrap_or(995),
        pop_login_delay: None,
    }
}

/// What a door needs to let people in.
struct Entrance {
    listener: tokio::net::TcpListener,
    manner: Arc<ArcSwap<Manner>>,
    office: Office,
    crowd: Arc<Crowd>,
    most: Arc<AtomicU32>,
    alive: mpsc::Sender<()>,
}

impl Entrance {
    async fn accept(self) {
        loop {
            let (tcp, peer) = match self.listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(BREATH).await;
                    continue;
                }
            };
            let peer = peer.ip().to_canonical();
            let manner = self.manner.load_full();
            let alive = self.alive.clone();
            let Some(place) = self.crowd.enter(peer, self.most.load(Ordering::Relaxed)) else {
                tracing::info!(%peer, door = %manner.door.address, "too-many-connections");
                tokio::spawn(async move {
                    turn_away(tcp, manner.door.service.too_many()).await;
                    drop(alive);
                });
                continue;
            };
            let visit = self.office.postmaster.visit(peer);
            tokio::spawn(async move {
                converse(manner, tcp, peer, visit).await;
                drop((place, alive));
            });
        }
    }
}

/// The chores of a running house.
async fn upkeep(house: Arc<House>) {
    let mut certificates = tokio::time::interval(CERTIFICATES);
    let mut rounds = tokio::time::interval_at(tokio::time::Instant::now() + FIRST_UPKEEP, UPKEEP);
    loop {
        tokio::select! {
            _ = certificates.tick() => house.look_after_certificates().await,
            _ = rounds.tick() => {
                if let Err(error) = house.tidy().await {
                    tracing::warn!(%error, "tidying up stopped, and goes on in an hour");
                }
            }
        }
    }
}
