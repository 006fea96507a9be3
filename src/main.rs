#[expect(dead_code, reason = "the commands that read the configuration come next")]
mod config;

fn main() {}
