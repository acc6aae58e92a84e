printf '{"name": "workload", "version": "1.0.0", "files": ["index.js"]}' > package.json
echo 'module.exports = 1;' > index.js
npm ls --offline > list.log
npm pack --offline > pack.log 2>&1
test -f workload-1.0.0.tgz
