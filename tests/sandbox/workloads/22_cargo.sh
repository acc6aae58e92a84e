cargo new -q --lib workload --vcs none
cd workload
cargo build -q --offline
cargo test -q --offline > test.log
grep -q 'test result: ok. 1 passed' test.log
