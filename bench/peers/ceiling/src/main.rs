//! What a redis-server on this machine can do at most, with a client that costs next to nothing.
//!
//! `redis-ceiling HOST:PORT MEASURE N` prints one JSON object. Standard library only.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Instant;

const BATCH: usize = 100;
/// Samples of latency that don't count.
const WARM_UP: usize = 50;
const PAYLOAD: &[u8] = b"{\"id\":\"01HZZZZZZZZZZZZZZZZZZZZZZZ\",\"task\":\"add\",\"args\":[123456,1],\"ts\":1795489666}";

struct Conn {
    r: BufReader<TcpStream>,
    w: TcpStream,
    out: Vec<u8>,
}

#[derive(Debug)]
enum V {
    Nil,
    Int,
    Str(Vec<u8>),
    Arr(Vec<V>),
}

impl Conn {
    fn new(addr: &str) -> Conn {
        let s = TcpStream::connect(addr).unwrap();
        s.set_nodelay(true).unwrap();
        Conn {
            r: BufReader::with_capacity(1 << 18, s.try_clone().unwrap()),
            w: s,
            out: Vec::with_capacity(1 << 18),
        }
    }
    fn push(&mut self, args: &[&[u8]]) {
        write!(self.out, "*{}\r\n", args.len()).unwrap();
        for a in args {
            write!(self.out, "${}\r\n", a.len()).unwrap();
            self.out.extend_from_slice(a);
            self.out.extend_from_slice(b"\r\n");
        }
    }
    fn flush(&mut self) {
        self.w.write_all(&self.out).unwrap();
        self.out.clear();
    }
    fn read(&mut self) -> V {
        let mut line = Vec::with_capacity(32);
        self.r.read_until(b'\n', &mut line).unwrap();
        line.truncate(line.len() - 2);
        let n = || {
            std::str::from_utf8(&line[1..])
                .unwrap()
                .parse::<i64>()
                .unwrap()
        };
        match line[0] {
            b'+' => V::Str(line[1..].to_vec()),
            b':' => V::Int,
            b'$' => {
                let n = n();
                if n < 0 {
                    return V::Nil;
                }
                let mut b = vec![0; n as usize + 2];
                self.r.read_exact(&mut b).unwrap();
                b.truncate(n as usize);
                V::Str(b)
            }
            b'*' => {
                let n = n();
                if n < 0 {
                    V::Nil
                } else {
                    V::Arr((0..n).map(|_| self.read()).collect())
                }
            }
            _ => panic!("{}", String::from_utf8_lossy(&line)),
        }
    }
    fn cmd(&mut self, args: &[&[u8]]) -> V {
        self.push(args);
        self.flush();
        self.read()
    }
    fn xadd(&mut self, n: usize) {
        let mut left = n;
        while left > 0 {
            let k = left.min(BATCH);
            for _ in 0..k {
                self.push(&[b"XADD", b"q", b"*", b"d", PAYLOAD]);
            }
            self.flush();
            for _ in 0..k {
                self.read();
            }
            left -= k;
        }
    }
    /// XREADGROUP COUNT 100: the ids read
    fn take(&mut self, who: &[u8], block: bool) -> Vec<Vec<u8>> {
        let count = BATCH.to_string();
        if block {
            self.push(&[
                b"XREADGROUP",
                b"GROUP",
                b"g",
                who,
                b"COUNT",
                b"1",
                b"BLOCK",
                b"0",
                b"STREAMS",
                b"q",
                b">",
            ]);
        } else {
            self.push(&[
                b"XREADGROUP",
                b"GROUP",
                b"g",
                who,
                b"COUNT",
                count.as_bytes(),
                b"STREAMS",
                b"q",
                b">",
            ]);
        }
        self.flush();
        let V::Arr(mut s) = self.read() else {
            return vec![];
        };
        let V::Arr(mut kv) = s.remove(0) else {
            panic!()
        };
        let V::Arr(es) = kv.remove(1) else { panic!() };
        es.into_iter()
            .map(|e| {
                let V::Arr(mut e) = e else { panic!() };
                let V::Str(id) = e.remove(0) else { panic!() };
                id
            })
            .collect()
    }
    /// A SET with expiry for each and one variadic XACK, all in one pipeline.
    fn finish(&mut self, ids: &[Vec<u8>]) {
        for id in ids {
            let key = [b"r:".as_slice(), id].concat();
            self.push(&[b"SET", &key, b"{\"ok\":123457}", b"EX", b"3600"]);
        }
        let mut acknowledge: Vec<&[u8]> = vec![b"XACK", b"q", b"g"];
        acknowledge.extend(ids.iter().map(|id| id.as_slice()));
        self.push(&acknowledge);
        self.flush();
        for _ in 0..=ids.len() {
            self.read();
        }
    }
}

/// One client: takes and finishes until nothing is left; how many.
fn empty(addr: &str, who: &str) -> usize {
    let mut client = Conn::new(addr);
    let mut done = 0;
    loop {
        let ids = client.take(who.as_bytes(), false);
        if ids.is_empty() {
            return done;
        }
        client.finish(&ids);
        done += ids.len();
    }
}

/// The queue was filled before; two clients on threads of their own.
fn drain(addr: &str, n: usize) {
    let clients = ["c0", "c1"].map(|who| {
        let addr = addr.to_string();
        std::thread::spawn(move || empty(&addr, who))
    });
    let done: usize = clients
        .into_iter()
        .map(|client| client.join().unwrap())
        .sum();
    assert_eq!(done, n);
}

/// The smallest possible round trip: XADD by the producer wakes a blocked XREADGROUP in another thread,
/// which answers and acknowledges in one pipeline, and the producer's BLPOP wakes. In milliseconds.
fn latencies(addr: &str, n: usize) -> Vec<f64> {
    let other = addr.to_string();
    std::thread::spawn(move || {
        let mut worker = Conn::new(&other);
        loop {
            for id in worker.take(b"w", true) {
                worker.push(&[b"RPUSH", b"answer", b"1"]);
                worker.push(&[b"XACK", b"q", b"g", &id]);
                worker.flush();
                worker.read();
                worker.read();
            }
        }
    });
    let mut client = Conn::new(addr);
    let mut sample = || {
        let begun = Instant::now();
        client.cmd(&[b"XADD", b"q", b"*", b"d", PAYLOAD]);
        client.cmd(&[b"BLPOP", b"answer", b"0"]);
        begun.elapsed().as_secs_f64() * 1e3
    };
    for _ in 0..WARM_UP {
        sample();
    }
    let mut times: Vec<f64> = (0..n).map(|_| sample()).collect();
    times.sort_by(f64::total_cmp);
    times
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let (addr, what, n) = (
        args[1].as_str(),
        args[2].as_str(),
        args[3].parse::<usize>().unwrap(),
    );
    let mut client = Conn::new(addr);
    client.cmd(&[b"XGROUP", b"CREATE", b"q", b"g", b"0", b"MKSTREAM"]);
    let rate = |begun: Instant| {
        let rate = n as f64 / begun.elapsed().as_secs_f64();
        println!("{{\"n\":{n},\"tasks_per_s\":{rate:.1}}}");
    };
    match what {
        "enqueue" => {
            let begun = Instant::now();
            client.xadd(n);
            rate(begun);
        }
        "drain" => {
            client.xadd(n);
            let begun = Instant::now();
            drain(addr, n);
            rate(begun);
        }
        "latency" => {
            let times = latencies(addr, n);
            let at = |part: f64| times[((n - 1) as f64 * part).round() as usize];
            println!("{{\"p50_ms\":{:.3},\"p99_ms\":{:.3}}}", at(0.5), at(0.99));
        }
        other => panic!("unknown measure {other}: enqueue, drain or latency"),
    }
}
