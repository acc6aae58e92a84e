test "$(node -e 'process.stdout.write(require("child_process").execSync("echo from-child"))')" = from-child
