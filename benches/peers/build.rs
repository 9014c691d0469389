//! Compiles the peers in C and C++ whose headers and libraries are there, and says which are left out.

use std::process::Command;
use std::{env, fs};

/// A peer's source in `foreign/`, its cfg, its header, the libraries it needs, and the Debian package that has them.
struct Peer {
    source: &'static str,
    cfg: &'static str,
    header: &'static str,
    libraries: &'static [&'static str],
    package: &'static str,
}

const PEERS: [Peer; 4] = [
    Peer {
        source: "boost.cpp",
        cfg: "have_boost",
        header: "boost/lockfree/stack.hpp",
        libraries: &[],
        package: "libboost-dev",
    },
    Peer {
        source: "cds.cpp",
        cfg: "have_cds",
        header: "cds/container/treiber_stack.h",
        libraries: &["cds"],
        package: "libcds-dev",
    },
    Peer { source: "ck.c", cfg: "have_ck", header: "ck_stack.h", libraries: &["ck"], package: "libck-dev" },
    Peer {
        source: "urcu.c",
        cfg: "have_urcu",
        header: "urcu.h",
        libraries: &["urcu-memb", "urcu-cds"],
        package: "liburcu-dev",
    },
];

/// The peers in Rust.
const CRATES: [&str; 7] = ["crossbeam-epoch", "haphazard", "lockfree", "parking_lot", "sdd", "seize", "spin"];

fn main() {
    println!("cargo::rerun-if-changed=foreign");
    let mut missing = Vec::new();
    for Peer { source, cfg, header, libraries, package } in PEERS {
        // While there is no such file, this runs again at each build.
        println!("cargo::rerun-if-changed=/usr/include/{header}");
        println!("cargo::rustc-check-cfg=cfg({cfg})");
        let cpp = source.ends_with("cpp");
        let mut build = cc::Build::new();
        build.cpp(cpp).std(if cpp { "c++17" } else { "c11" }).opt_level(3).warnings(false).cargo_warnings(false);
        if env::var("CARGO_CFG_TARGET_ARCH").as_deref() == Ok("x86_64") {
            // For the 16-byte compare-exchange.
            build.flag("-mcx16");
        }
        if build.file(format!("foreign/{source}")).try_compile(cfg).is_err() {
            missing.push(package);
            continue;
        }
        println!("cargo::rustc-cfg={cfg}");
        for library in libraries {
            println!("cargo::rustc-link-lib={library}");
        }
    }
    println!("cargo::rustc-env=PEERS_MISSING={}", missing.join(" "));
    println!("cargo::rustc-env=PEERS_RUSTC={}", rustc());
    println!("cargo::rustc-env=PEERS_CRATES={}", crates());
}

fn rustc() -> String {
    let output = Command::new(env::var("RUSTC").expect("cargo sets it")).arg("--version").output();
    String::from_utf8(output.expect("there is a compiler").stdout).expect("text").trim().to_owned()
}

/// The versions of the peers in Rust.
fn crates() -> String {
    println!("cargo::rerun-if-changed=Cargo.lock");
    let lock = fs::read_to_string("Cargo.lock").expect("it is committed");
    let quoted = |line: &str| line.split('"').nth(1).unwrap_or_default().to_owned();
    let lines: Vec<&str> = lock.lines().collect();
    let packages = lines.windows(2).filter(|pair| pair[0].starts_with("name = "));
    let versions = packages.map(|pair| (quoted(pair[0]), quoted(pair[1])));
    let peers = versions.filter(|(name, _)| CRATES.contains(&name.as_str()));
    peers.map(|(name, version)| format!("{name} {version}")).collect::<Vec<_>>().join(", ")
}
