// Package admin tests leases, sessions, snapshots, maintenance, membership,
// users and roles against real members.
package admin
