// Command v3.4 is the etcd server of release line 3.4, for the tests.
package main

import "go.etcd.io/etcd/etcdmain"

func main() { etcdmain.Main() }
