package etcd_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/etcdtest"
)

func ExampleClient_Statuses() {
	srv := etcdtest.New(etcdtest.WithMembers(3))
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	srv.Kill(2)
	for _, s := range client.Statuses(context.Background()) {
		if s.Err != nil {
			fmt.Println(s.Endpoint, "is down:", errors.Is(s.Err, etcd.ErrUnavailable))
			continue
		}
		fmt.Println(s.Endpoint, s.Status.Version, "leader:", s.Status.IsLeader())
	}
	// Output:
	// http://member1.etcdtest:2379 3.7.3 leader: true
	// http://member2.etcdtest:2379 3.7.3 leader: false
	// http://member3.etcdtest:2379 is down: true
}

// A member joins as a learner, which has no vote, and gets one when it has
// caught up.
func ExampleClient_AddLearner() {
	srv := etcdtest.New(etcdtest.WithMembers(3))
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	ctx := context.Background()

	learner, err := client.AddLearner(ctx, "http://10.0.0.4:2380")
	check(err)
	members, err := client.Members(ctx, true)
	check(err)
	fmt.Println(len(members), "members, the last a learner:", members[3].Learner)
	// In a program its process is started now, and gets its vote when it has
	// caught up. This one never is.
	fmt.Println("promoted:", client.PromoteMember(ctx, learner.ID) == nil)
	check(client.RemoveMember(ctx, learner.ID))
	fmt.Println(errors.Is(client.RemoveMember(ctx, learner.ID), etcd.ErrMemberNotFound))
	// Output:
	// 4 members, the last a learner: true
	// promoted: false
	// true
}

func ExampleClient_MoveLeader() {
	srv := etcdtest.New(etcdtest.WithMembers(3))
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	ctx := context.Background()

	status, err := client.Status(ctx, client.Endpoints()[1])
	check(err)
	check(client.MoveLeader(ctx, etcd.MemberID(status.Header.MemberID)))
	fmt.Println("leader:", srv.Leader()+1)
	// Output: leader: 2
}

// A full server takes deletes only, until the alarm is taken away.
func ExampleClient_DisarmAlarms() {
	srv := etcdtest.New()
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	ctx := context.Background()
	srv.Put("big", nil)
	srv.SetNoSpace(true)

	_, err := client.Put(ctx, "a", nil)
	fmt.Println("full:", errors.Is(err, etcd.ErrNoSpace))
	_, err = client.Delete(ctx, etcd.Key("big"))
	check(err)
	check(client.Compact(ctx, srv.Revision(), true))
	check(client.Defragment(ctx, client.Endpoints()[0]))
	alarms, err := client.DisarmAlarms(ctx)
	check(err)
	fmt.Println("disarmed:", alarms[0].Type)
	_, err = client.Put(ctx, "a", nil)
	fmt.Println(err)
	// Output:
	// full: true
	// disarmed: NOSPACE
	// <nil>
}

// The members' data are alike if their hashes at one revision are.
func ExampleClient_HashKV() {
	srv := etcdtest.New(etcdtest.WithMembers(3))
	defer srv.Close()
	client := connect(srv)
	defer client.Close()
	rev := srv.Put("a", nil)
	var hashes []uint32
	for _, ep := range client.Endpoints() {
		h, err := client.HashKV(context.Background(), ep, rev)
		check(err)
		hashes = append(hashes, h.Hash)
	}
	fmt.Println(len(slices.Compact(hashes)) == 1)
	// Output: true
}

// Users, roles, and the switch. A user who has only the keys of a prefix can do
// nothing else.
func ExampleClient_AuthEnable() {
	srv := etcdtest.New()
	defer srv.Close()
	ctx := context.Background()
	admin := connect(srv, func(cfg *etcd.Config) {
		cfg.Username, cfg.Password = "root", "secret"
		cfg.AllowInsecureAuth = true // in memory; over a network use https
	})
	defer admin.Close()
	check(admin.UserAdd(ctx, "root", "secret"))
	check(admin.UserGrantRole(ctx, "root", "root"))
	check(admin.RoleAdd(ctx, "shop"))
	check(admin.RoleGrant(ctx, "shop", etcd.Prefix("shop/"), etcd.ReadWrite))
	check(admin.UserAdd(ctx, "ann", "pass"))
	check(admin.UserGrantRole(ctx, "ann", "shop"))
	check(admin.AuthEnable(ctx))

	ann := connect(srv, func(cfg *etcd.Config) {
		cfg.Username, cfg.Password, cfg.AllowInsecureAuth = "ann", "pass", true
	})
	defer ann.Close()
	_, err := ann.Put(ctx, "shop/a", nil)
	fmt.Println(err)
	_, err = ann.Put(ctx, "bank/a", nil)
	fmt.Println(errors.Is(err, etcd.ErrPermissionDenied))

	user, err := admin.User(ctx, "ann")
	check(err)
	role, err := admin.Role(ctx, "shop")
	check(err)
	fmt.Println(user.Roles, role.Grants[0].Keys, role.Grants[0].Permission)
	// Output:
	// <nil>
	// true
	// [shop] "shop/"* READWRITE
}
