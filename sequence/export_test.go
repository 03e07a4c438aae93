package sequence

import "github.com/quorate/quorate/etcd"

func kvOf(value string) etcd.KV { return etcd.KV{Key: "a/key", Value: []byte(value)} }
