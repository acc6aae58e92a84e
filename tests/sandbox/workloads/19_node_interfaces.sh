# Aborts where a netlink socket cannot be had.
node -e 'if (!Array.isArray(Object.keys(require("os").networkInterfaces()))) process.exit(1)'
