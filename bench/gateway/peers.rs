//! What is measured side by side, each started afresh in a folder of its own.

use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::machine::now_us;
use crate::process::{Process, free_port};
use crate::seed::{self, Places};
use crate::store::Store;
use crate::upstream;
use crate::wire::{Kind, connect, exchange, request};

const NGINX: &str = include_str!("nginx.conf");
const NGINX_LUA: &str = include_str!("nginx-lua.conf");
/// What the peer with Lua needs, from Debian's `libnginx-mod-http-lua` and `lua-nginx-redis`.
const NEEDED_FOR_LUA: [&str; 2] =
    ["/usr/share/nginx/modules/ngx_http_lua_module.so", "/usr/share/lua/5.1/nginx/redis.lua"];
/// Where files lie in memory: a sync costs nothing there.
const MEMORY: &str = "/dev/shm";

/// One way from the load to the upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    /// Nothing between.
    Direct,
    /// `proxy_pass`, which meters nothing.
    Nginx,
    /// The same with a reserve and a settlement in Redis, by two short scripts, as somebody would write them in an hour.
    NginxLua,
    /// The gateway, its ledger in a file.
    Embedded,
    /// The same on a disk that syncs at no cost: the difference is what durability costs.
    EmbeddedInMemory,
    /// The gateway, its ledger in Redis with `appendfsync everysec`.
    Redis,
    /// With `always`.
    RedisAlways,
    /// Without a log.
    RedisNoLog,
    /// As `Redis`, with a log line for each request and settlement, which is the default.
    RedisTold,
    /// As `Redis`, but another program.
    RedisOther,
}

impl Peer {
    pub(crate) const ALL: [Self; 10] = [
        Self::Direct,
        Self::Nginx,
        Self::NginxLua,
        Self::Embedded,
        Self::EmbeddedInMemory,
        Self::Redis,
        Self::RedisAlways,
        Self::RedisNoLog,
        Self::RedisTold,
        Self::RedisOther,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Nginx => "nginx",
            Self::NginxLua => "nginx-lua-redis",
            Self::Embedded => "embedded",
            Self::EmbeddedInMemory => "embedded-in-memory",
            Self::Redis => "redis",
            Self::RedisAlways => "redis-always",
            Self::RedisNoLog => "redis-no-log",
            Self::RedisTold => "redis-told",
            Self::RedisOther => "redis-other",
        }
    }

    /// Whether it can be measured here.
    pub(crate) fn is_here(&self) -> bool {
        match self {
            Self::NginxLua => NEEDED_FOR_LUA.iter().all(|path| Path::new(path).exists()),
            Self::EmbeddedInMemory => Path::new(MEMORY).exists(),
            Self::RedisOther => seed::other_program().is_some(),
            _ => true,
        }
    }

    /// Whether it is measured in every way; the others show one difference at saturation and at a fixed rate.
    pub(crate) const fn is_whole(&self) -> bool {
        matches!(
            self,
            Self::Direct
                | Self::Nginx
                | Self::NginxLua
                | Self::Embedded
                | Self::Redis
                | Self::RedisOther
        )
    }

    pub(crate) const fn is_gateway(self) -> bool {
        !matches!(self, Self::Direct | Self::Nginx | Self::NginxLua)
    }

    /// Its Redis, if it has one: the `appendfsync`, or no log.
    const fn redis(self) -> Option<Option<&'static str>> {
        match self {
            Self::Direct | Self::Nginx | Self::Embedded | Self::EmbeddedInMemory => None,
            Self::NginxLua | Self::Redis | Self::RedisTold | Self::RedisOther => {
                Some(Some("everysec"))
            }
            Self::RedisAlways => Some(Some("always")),
            Self::RedisNoLog => Some(None),
        }
    }
}

/// A peer that serves.
pub(crate) struct Up {
    pub(crate) port: u16,
    pub(crate) keys: Vec<String>,
    /// From its start to its first answer, in milliseconds; `None`: there was nothing to start.
    pub(crate) start_ms: Option<f64>,
    process: Option<Process>,
    pub(crate) redis: Option<Store>,
    folder: TempDir,
}

/// How a gateway is run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// The release program.
    Release,
    /// In this program, which counts; its port for the count.
    Counted(u16),
}

impl Up {
    /// Starts a peer in front of `upstream` and waits for its first answer.
    pub(crate) fn start(peer: Peer, upstream: &upstream::Started, form: Form) -> Self {
        let own = match peer {
            Peer::EmbeddedInMemory => TempDir::new_in(MEMORY),
            _ => TempDir::new_in(env!("CARGO_TARGET_TMPDIR")),
        };
        let folder = own.unwrap();
        let redis = peer.redis().map(|fsync| Store::start(folder.path(), fsync));
        let keys = (0..seed::KEYS).map(|number| format!("sk-bench-{number:03}")).collect();
        let mut up = Self { port: 0, keys, start_ms: None, process: None, redis, folder };
        match peer {
            Peer::Direct => up.port = upstream.port,
            Peer::Nginx => up.nginx(NGINX, upstream.port),
            Peer::NginxLua => up.nginx_lua(upstream.port),
            _ => up.gateway(peer, upstream.port, form),
        }
        up
    }

    /// The peer's processes; of nothing between, the upstream's.
    pub(crate) fn processes(&self, upstream: &upstream::Started) -> Vec<u32> {
        self.process.as_ref().unwrap_or(&upstream.process).tree()
    }

    /// Runs a command as this peer, until its first answer.
    fn answering(&mut self, command: &mut Command) {
        let began = now_us();
        let process = Process::start(command);
        let asked = request(Kind::Json, &self.keys[0]);
        let mut answer = Vec::new();
        loop {
            let good = connect(self.port).and_then(|mut it| exchange(&mut it, &asked, &mut answer));
            match good {
                Ok(true) => break,
                Ok(false) => panic!("{command:?}: {}", String::from_utf8_lossy(&answer)),
                Err(_) => std::thread::sleep(Duration::from_micros(200)),
            }
            assert!(now_us() - began < 20_000_000, "{command:?} does not answer");
        }
        self.start_ms = Some((now_us() - began) as f64 / 1_000.0);
        self.process = Some(process);
    }

    fn nginx(&mut self, template: &str, upstream: u16) {
        self.port = free_port();
        let folder = self.folder.path();
        let redis = self.redis.as_ref().map_or(0, |redis| redis.port);
        let text = template
            .replace("@FOLDER@", folder.to_str().unwrap())
            .replace("@PORT@", &self.port.to_string())
            .replace("@UPSTREAM@", &upstream.to_string())
            .replace("@REDIS@", &redis.to_string());
        let path = folder.join("nginx.conf");
        std::fs::write(&path, text).unwrap();
        self.answering(Command::new("nginx").arg("-c").arg(path).stderr(log(self.folder.path())));
    }

    fn nginx_lua(&mut self, upstream: u16) {
        let store = self.redis.as_mut().unwrap();
        let mut accounts = redis::pipe();
        for key in &self.keys {
            let fields =
                [("balance", 1_u64 << 50), ("held", 0), ("open", 0), ("open_max", 100_000)];
            let more = [("day", 0), ("day_max", 1_u64 << 50), ("status", 1)];
            accounts.hset_multiple(format!("account:{key}"), &[&fields[..], &more].concat());
        }
        let _: redis::Value = accounts.query(&mut store.connection).unwrap();
        self.nginx(NGINX_LUA, upstream);
    }

    /// A gateway is started twice: to make the accounts, and, on what it has written, to be measured.
    fn gateway(&mut self, peer: Peer, upstream: u16, form: Form) {
        let (port, admin) = (free_port(), free_port());
        let redis = self.redis.as_ref().map(|redis| redis.port);
        let folder = self.folder.path().to_owned();
        seed::write(&folder, &Places { port, admin, upstream, redis });
        let config = seed::config(&folder).to_str().unwrap().to_owned();
        let program = match (peer, seed::other_program()) {
            (Peer::RedisOther, Some(other)) => other,
            _ => seed::PROGRAM.into(),
        };
        if redis.is_some() {
            let mut create = seed::command(&program, &["ledger", "create", "--config", &config]);
            assert!(create.output().unwrap().status.success(), "{create:?}");
        }
        let mut serve = match form {
            Form::Release => seed::command(&program, &["serve", "--config", &config]),
            Form::Counted(count) => counted(&config, count),
        };
        let level = if peer == Peer::RedisTold { "info" } else { "warn" };
        serve.env("TOLLGATE_LOG", level);
        let first = Process::start(serve.stderr(log(&folder)));
        self.keys = seed::keys(admin);
        drop(first);
        self.port = port;
        self.answering(serve.stderr(log(&folder)));
    }
}

fn counted(config: &str, count: u16) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["counted", config, &count.to_string()]);
    seed::secrets(&mut command);
    command
}

fn log(folder: &Path) -> File {
    File::create(folder.join("log")).unwrap()
}
