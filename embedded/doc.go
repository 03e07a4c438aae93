// Package embedded runs real etcd members inside the process: one for
// development and tests, or three that form a cluster.
//
// [Start] returns when every member answers linearizable reads, so the
// endpoints can be used at once. Everything listens on 127.0.0.1 alone. With an
// empty [Config.Dir] the data live in a temporary directory that [Cluster.Stop]
// removes; otherwise the directory remembers the cluster (its members, their
// peer addresses and its token), and a later Start on it continues where the
// last one ended.
//
// The members keep etcd's own defaults except for these: history is compacted
// automatically (see [Compaction]), a single member elects itself within a few
// hundred milliseconds, and nothing is logged unless [Config.Logger] is set.
// Where etcd would end the process (its logger's Fatal and Panic), only the
// member ends, and [Cluster.Err] says why.
//
// Importing this package links the etcd server and gRPC; that is why it is a
// module of its own. It silences gRPC's own log, which would otherwise print
// connection errors to standard error, unless the environment variable
// GRPC_GO_LOG_SEVERITY_LEVEL is set; a program can still set its own with
// grpclog.SetLoggerV2.
package embedded
