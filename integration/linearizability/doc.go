// Package linearizability runs mixed calls of many goroutines and several
// clients against a cluster on which faults fall, writes down what each was
// told and when, and has porcupine decide whether some order of the calls
// explains it all: each call taking effect at one moment between its beginning
// and its end, one after the other, group commit or not.
//
// A write of unknown outcome may take effect at any time after it began, once,
// or never; which of these etcd's own log of the keys tells, as far as it does.
// A write that was refused must not.
//
// The check is itself checked: by histories that must be rejected, and, built
// with the tag "mutants", by clients that are broken on purpose:
//
//	go test -tags mutants ./integration/linearizability
package linearizability
