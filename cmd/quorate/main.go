// Command quorate coordinates programs over etcd.
package main

func main() {}
