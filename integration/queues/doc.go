// Package queues tests queues against real etcd servers, with workers that are
// processes of their own: killed, stopped and woken.
package queues
