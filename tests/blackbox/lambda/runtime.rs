//! A double of Lambda's runtime API (<https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>): it hands the events that a test
//! gives it to whatever asks, one at a time, and keeps what is answered.
//!
//! It refuses what Lambda would refuse, and must not know what regcred should do.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc, watch};

/// As the world's limit of a pass: on a machine that is busy with a build.
const LIMIT: Duration = Duration::from_mins(5);
const NEXT: &str = "/2018-06-01/runtime/invocation/next";

/// An invocation that is to be handed out.
struct Invocation {
    number: usize,
    payload: Vec<u8>,
    deadline: SystemTime,
}

impl Invocation {
    fn request_id(&self) -> String {
        format!("8476a536-e9f4-11e8-9739-{:012}", self.number)
    }

    fn attempt(&self) -> String {
        format!("attempt-{}", self.number)
    }
}

/// How an invocation ended.
#[derive(Debug)]
pub(crate) enum Outcome {
    Answered { request_id: String, json: Value },
    Failed { request_id: String, error_type: String, message: String },
}

impl Outcome {
    /// # Panics
    /// If it failed.
    pub(crate) fn answer(self) -> Value {
        match self {
            Self::Answered { json, .. } => json,
            Self::Failed { error_type, message, .. } => panic!("{error_type}: {message}"),
        }
    }

    /// The type of the error, and its message.
    ///
    /// # Panics
    /// If it did not fail.
    pub(crate) fn error(self) -> (String, String) {
        match self {
            Self::Failed { error_type, message, .. } => (error_type, message),
            Self::Answered { json, .. } => panic!("it was answered: {json:#}"),
        }
    }
}

/// A runtime API that serves until this is dropped.
pub(crate) struct RuntimeApi {
    address: SocketAddr,
    events: mpsc::UnboundedSender<Invocation>,
    outcomes: Mutex<mpsc::UnboundedReceiver<Outcome>>,
    invoked: AtomicUsize,
    asked: watch::Receiver<usize>,
    serving: tokio::task::JoinHandle<()>,
}

struct Shared {
    events: Mutex<mpsc::UnboundedReceiver<Invocation>>,
    in_flight: Mutex<Option<Invocation>>,
    outcomes: mpsc::UnboundedSender<Outcome>,
    asked: watch::Sender<usize>,
}

impl RuntimeApi {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let (events, waiting) = mpsc::unbounded_channel();
        let (told, outcomes) = mpsc::unbounded_channel();
        let (asks, asked) = watch::channel(0);
        let shared = Arc::new(Shared {
            events: Mutex::new(waiting),
            in_flight: Mutex::new(None),
            outcomes: told,
            asked: asks,
        });
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    // An error is a function that was killed.
                    let _ = converse(stream, &shared).await;
                });
            }
        });
        let outcomes = Mutex::new(outcomes);
        Self { address, events, outcomes, invoked: AtomicUsize::new(0), asked, serving }
    }

    /// As `AWS_LAMBDA_RUNTIME_API` has it.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Waits until the function has asked for an event so many times.
    pub(crate) async fn until_asked(&self, times: usize) {
        let mut asked = self.asked.clone();
        let waited = tokio::time::timeout(LIMIT, asked.wait_for(|asked| *asked >= times)).await;
        waited.expect("the function asks for an event in time").expect("the double runs");
    }

    /// Hands an event to the function, and returns how the invocation ended. `time` is what the function is given.
    ///
    /// # Panics
    /// If the function has not ended it in time, or the answer is of another one.
    pub(crate) async fn invoke(&self, payload: &Value, time: Duration) -> Outcome {
        let number = self.invoked.fetch_add(1, Ordering::SeqCst) + 1;
        let payload = payload.to_string().into_bytes();
        let invocation = Invocation { number, payload, deadline: SystemTime::now() + time };
        let expected = invocation.request_id();
        self.events.send(invocation).unwrap_or_else(|_| panic!("the double has ended"));
        let mut outcomes = self.outcomes.lock().await;
        let outcome = tokio::time::timeout(LIMIT, outcomes.recv()).await;
        let outcome = outcome.expect("the function ends the invocation in time").expect("the double runs");
        let (Outcome::Answered { request_id, .. } | Outcome::Failed { request_id, .. }) = &outcome;
        assert_eq!(*request_id, expected);
        outcome
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map_or("", |(_, value)| value)
    }
}

async fn converse(stream: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let request = read(&mut stream).await?;
    let (status, headers, body) = match (request.method.as_str(), request.path.as_str()) {
        ("GET", NEXT) => next(shared).await,
        ("POST", path) => (end(shared, path, &request).await, String::new(), Vec::new()),
        _ => ("404 Not Found", String::new(), Vec::new()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(&body).await?;
    stream.shutdown().await
}

async fn next(shared: &Shared) -> (&'static str, String, Vec<u8>) {
    shared.asked.send_modify(|asked| *asked += 1);
    if shared.in_flight.lock().await.is_some() {
        return ("403 Forbidden", String::new(), Vec::new());
    }
    // For as long as there is none: Lambda freezes the function meanwhile.
    let Some(invocation) = shared.events.lock().await.recv().await else {
        return ("500 Internal Server Error", String::new(), Vec::new());
    };
    let deadline = invocation.deadline.duration_since(SystemTime::UNIX_EPOCH).expect("it is after 1970");
    let headers = format!(
        "Lambda-Runtime-Aws-Request-Id: {}\r\nLambda-Runtime-Deadline-Ms: {}\r\nLambda-Runtime-Invocation-Id: {}\r\n\
         Lambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:111111111111:function:regcred\r\n\
         Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1\r\n",
        invocation.request_id(),
        deadline.as_millis(),
        invocation.attempt(),
    );
    let payload = invocation.payload.clone();
    *shared.in_flight.lock().await = Some(invocation);
    ("200 OK", headers, payload)
}

async fn end(shared: &Shared, path: &str, request: &Request) -> &'static str {
    let mut in_flight = shared.in_flight.lock().await;
    let Some(invocation) = in_flight.as_ref() else { return "403 Forbidden" };
    let request_id = invocation.request_id();
    if request.header("lambda-runtime-invocation-id") != invocation.attempt() {
        return "400 Bad Request";
    }
    let Ok(json) = serde_json::from_slice::<Value>(&request.body) else { return "400 Bad Request" };
    let of_this = path.strip_prefix(&format!("/2018-06-01/runtime/invocation/{request_id}"));
    let outcome = match of_this {
        Some("/response") => Outcome::Answered { request_id, json },
        Some("/error") => {
            let text = |name: &str| json[name].as_str().unwrap_or_default().to_owned();
            let error_type = text("errorType");
            if error_type != request.header("lambda-runtime-function-error-type") {
                return "400 Bad Request";
            }
            Outcome::Failed { request_id, error_type, message: text("errorMessage") }
        }
        Some(_) | None => return "404 Not Found",
    };
    *in_flight = None;
    // Nobody listens where the test is over.
    let _ = shared.outcomes.send(outcome);
    "202 Accepted"
}

async fn read(stream: &mut BufReader<TcpStream>) -> std::io::Result<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let mut request = Request { method, path, headers, body: Vec::new() };
    request.body = vec![0; request.header("content-length").parse().unwrap_or_default()];
    stream.read_exact(&mut request.body).await?;
    Ok(request)
}
