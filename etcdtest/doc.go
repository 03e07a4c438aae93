// Package etcdtest is an in-memory etcd gateway for tests.
package etcdtest
