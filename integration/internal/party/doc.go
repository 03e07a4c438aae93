// Package party has what the tests of recipes share: processes of
// their own that do as they are told, a cluster in trouble, and what etcd's own
// history says of it in the end.
package party
