// Package etcd is a client of etcd v3 that speaks to the JSON gateway every
// etcd server offers on its client port, so that a program that uses it links
// no gRPC.
package etcd
