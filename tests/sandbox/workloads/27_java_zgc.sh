# ZGC probes NUMA policies and maps its heap several times.
cp "$WORKLOADS/java_program.txt" Main.java
javac Main.java
test "$(java -XX:+UseZGC -Xmx256m Main)" = ran
