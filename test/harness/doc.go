// Package harness runs hooktape and the embedded ClickHouse as the processes they are in real life, in a directory of their
// own and on free ports of the loopback, so that a test or a benchmark can kill, freeze, restart and measure them.
//
// A harness that is closed, or whose process ends in order, leaves nothing behind. A process that is killed leaves no
// ClickHouse either, for that ends with its standard input.
package harness
