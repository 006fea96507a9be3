//! Serves a sandbox until standard input ends, to look around with the `aws` CLI.
//!
//!     cargo run -p regcred-sandbox --example serve [options.json]

use std::io::Read;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = match std::env::args_os().nth(1) {
        Some(path) => serde_json::from_str(&std::fs::read_to_string(path)?)?,
        None => regcred_sandbox::Options::default(),
    };
    let sandbox = regcred_sandbox::Sandbox::start(options)?;
    #[expect(clippy::print_stdout, reason = "the endpoint is what this program is for")]
    {
        println!("{}", serde_json::json!({"endpoint": sandbox.endpoint()}));
    }
    std::io::stdin().read_to_end(&mut Vec::new())?;
    sandbox.stop();
    Ok(())
}
