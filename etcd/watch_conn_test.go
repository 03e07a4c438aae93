package etcd

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/quorate/quorate/internal/jsonwire"
)

// silentLink carries nothing; a test plays the server.
type silentLink struct{}

func (silentLink) transport() watchTransport               { return viaWebSocket }
func (silentLink) duplex() bool                            { return true }
func (silentLink) send(context.Context, *outMessage) error { return nil }
func (silentLink) recv() (inMessage, error)                { return inMessage{}, errors.New("silent") }
func (silentLink) check(context.Context) error             { return nil }
func (silentLink) close()                                  {}
func (silentLink) flow() *inflow                           { return nil }

func play(t testing.TB, cn *watchConn, frames ...string) error {
	t.Helper()
	var rd jsonwire.Reader
	var f watchFrame
	for _, doc := range frames {
		require.NoError(t, parseWatchFrame(&rd, []byte(doc), 0, &f), doc)
		if err := cn.dispatch(&f); err != nil {
			return err
		}
	}
	return nil
}

// testConn gives a connection at revision rev without anything behind it.
func testConn(t testing.TB, rev int64) *watchConn {
	t.Helper()
	c, err := New(Config{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	cn := newWatchConn(c.watches, roleShared)
	cn.ep, cn.link, cn.inStep, cn.rev = c.eps.list[0], silentLink{}, true, rev
	c.watches.shared = cn
	return cn
}

// testWatch puts a watch on a connection. With start it has been there before.
func testWatch(cn *watchConn, start int64) *Watcher {
	w := &Watcher{hub: cn.h, set: Key("k"), opts: watchOptions{start: start}}
	if start > 0 {
		w.got = behind(start - 1)
	}
	cn.h.all[w] = struct{}{}
	w.at = cn.attach(w)
	return w
}

func created(id, rev int64) string {
	return fmt.Sprintf(`{"result":{"header":{"cluster_id":"7","member_id":"8","revision":"%d"},"watch_id":"%d","created":true}}`, rev, id)
}

func told(rev int64) string {
	return fmt.Sprintf(`{"result":{"header":{"cluster_id":"7","member_id":"8","revision":"%d"},"watch_id":"-1"}}`, rev)
}

func TestASignOfProgressFromBeforeAWatchWasCreatedSaysNothingOfIt(t *testing.T) {
	cn := testConn(t, 50)
	live := testWatch(cn, 0)
	require.NoError(t, play(t, cn, created(1, 50)))
	cn.progressRequest()
	past := testWatch(cn, 10)
	// The answer to what was asked before can come after the watch is there.
	require.NoError(t, play(t, cn, created(2, 50), told(50)))
	require.EqualValues(t, 9, past.position().rev)
	require.EqualValues(t, 50, live.position().rev)
	cn.progressRequest()
	require.NoError(t, play(t, cn, told(50)))
	require.EqualValues(t, 50, past.position().rev, "this one was asked for later")

	other := testWatch(cn, 20)
	cn.progressRequest()
	require.NoError(t, play(t, cn, told(50), created(3, 51), told(52)))
	require.EqualValues(t, 52, other.position().rev, "the revision says that it is younger")
}

func TestAProgressAnswerMayComeBeforeTheWatchIsCreated(t *testing.T) {
	cn := testConn(t, 50)
	w := testWatch(cn, 0)
	cn.progressRequest()
	require.NoError(t, play(t, cn, told(50), created(1, 49)))
	require.EqualValues(t, 49, w.created)
	require.Nil(t, w.err)
}

func TestARefusalGoesToTheWatchThatWasAskedForFirst(t *testing.T) {
	cn := testConn(t, 50)
	a, b, c := testWatch(cn, 0), testWatch(cn, 0), testWatch(cn, 0)
	refusal := `{"result":{"header":{"revision":"50"},"watch_id":"-1","created":true,"canceled":true,"cancel_reason":"rpc error: code = PermissionDenied desc = etcdserver: permission denied"}}`
	require.NoError(t, play(t, cn, created(1, 50), refusal, created(3, 50)))
	require.NoError(t, a.err)
	require.ErrorIs(t, b.err, ErrPermissionDenied)
	require.NoError(t, c.err)
	require.NotZero(t, c.created)
	require.Error(t, play(t, cn, refusal), "nothing was asked for")
}

func TestACreationOutOfTurnCostsTheConnection(t *testing.T) {
	cn := testConn(t, 50)
	testWatch(cn, 0)
	testWatch(cn, 0)
	require.Error(t, play(t, cn, created(2, 50)))
}

func TestACompactedWatchIsCancelledSoThatItsIDIsFree(t *testing.T) {
	cn := testConn(t, 50)
	w := testWatch(cn, 10)
	require.NoError(t, play(t, cn, created(1, 50)))
	cn.out = nil
	require.NoError(t, play(t, cn, `{"result":{"header":{},"watch_id":"1","canceled":true,"compact_revision":"30"}}`))
	require.Equal(t, `{"cancel_request":{"watch_id":1}}`, string(cn.out[0].body))
	var compacted *CompactedError
	require.ErrorAs(t, w.err, &compacted)
	require.EqualValues(t, 30, compacted.Revision)
	require.ErrorIs(t, w.err, ErrCompacted)
}

func TestARevisionThatGoesBackIsAnotherState(t *testing.T) {
	cn := testConn(t, 50)
	h := cn.h
	w := testWatch(cn, 0)
	require.NoError(t, play(t, cn, created(1, 50)))
	require.NoError(t, h.verify(Header{ClusterID: 7, Revision: 50}, h.seen, "e"))
	require.NoError(t, h.verify(Header{}, h.seen, "e"), "a member that says nothing")
	// The same cluster id, as with members wiped and started alike.
	require.ErrorIs(t, h.verify(Header{ClusterID: 7, Revision: 12}, h.seen, "e"), ErrClusterChanged)
	require.ErrorIs(t, w.err, ErrClusterChanged)
	require.NoError(t, h.verify(Header{ClusterID: 7, Revision: 13}, h.seen, "e"))
}

func TestAStreamThatShowsAnOlderStateThanReadsIsLeft(t *testing.T) {
	cn := testConn(t, 50)
	testWatch(cn, 0)
	require.NoError(t, play(t, cn, created(1, 50)))
	require.NoError(t, cn.lags(60))
	require.NoError(t, cn.lags(70), "silence says nothing")
	require.NoError(t, play(t, cn, told(50)))
	require.NoError(t, cn.lags(80))
	require.NoError(t, play(t, cn, told(80)))
	require.NoError(t, cn.lags(90), "it has come after")
	require.NoError(t, play(t, cn, told(81)))
	require.NoError(t, cn.lags(100))
	require.NoError(t, play(t, cn, told(82)))
	require.Error(t, cn.lags(110))
}

func TestAnEventMayComeInFragmentsAndOverTwoAttachments(t *testing.T) {
	event := func(id, rev int64, fragment bool, keys ...string) string {
		s := ""
		for i, k := range keys {
			if i > 0 {
				s += ","
			}
			s += fmt.Sprintf(`{"kv":{"key":"%s","mod_revision":"%d"}}`, base64.StdEncoding.EncodeToString([]byte(k)), rev)
		}
		return fmt.Sprintf(`{"result":{"header":{"revision":"%d"},"watch_id":"%d","fragment":%v,"events":[%s]}}`, rev, id, fragment, s)
	}
	cn := testConn(t, 50)
	w := testWatch(cn, 0)
	require.NoError(t, play(t, cn, created(1, 50), event(1, 51, true, "a", "b")))
	require.EqualValues(t, 51, w.position().next(), "not all of it has come")
	w.moving = cn.attach(w)
	require.EqualValues(t, 51, w.moving.start, "from the beginning of the revision")
	require.NoError(t, play(t, cn, created(2, 53), event(1, 51, false, "c"),
		event(2, 51, false, "a", "b", "c"), event(2, 52, false, "d"),
		event(1, 52, false, "d"), event(1, 53, false, "e"), event(2, 53, false, "e"),
		event(1, 54, true, "f"), event(2, 54, false, "f", "g"), event(1, 54, false, "g")))
	ev, ok := w.take()
	require.True(t, ok)
	var keys string
	for _, e := range ev.Events {
		keys += e.KV.Key
	}
	require.Equal(t, "abcdefg", keys)
	require.EqualValues(t, 54, ev.Revision)
}

func TestTheMessagesOfAWatchStreamAreTheseAndNoOthers(t *testing.T) {
	w := &Watcher{set: Prefix("a"), opts: watchOptions{prev: true, noPut: true}}
	require.Equal(t, `{"create_request":{"key":"bnMvYQ==","range_end":"bnMvYg==","start_revision":9,"filters":["NOPUT"],"prev_kv":true,"watch_id":3}}`,
		string(appendWatchCreate(nil, "ns/", w, 3, 9, false)))
	w = &Watcher{set: Key("a"), opts: watchOptions{noDelete: true}}
	require.Equal(t, `{"create_request":{"key":"YQ==","progress_notify":true,"filters":["NODELETE"],"watch_id":1}}`,
		string(appendWatchCreate(nil, "", w, 1, 0, true)))
	require.Equal(t, `{"create_request":{"key":"AA==","range_end":"AA==","watch_id":1}}`,
		string(appendWatchCreate(nil, "", &Watcher{set: All()}, 1, 0, false)))
	require.Equal(t, `{"cancel_request":{"watch_id":3}}`, string(appendWatchCancel(nil, 3)))
	require.Equal(t, `{"progress_request":{}}`, string(appendWatchProgress(nil)))
}

func TestAConnectionIsRenewedBeforeItsTokenEnds(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	require.Zero(t, renewBefore("", now))
	require.Equal(t, now.Add(tokenRenewal), renewBefore("simple.17", now))
	jwt := func(claims string) string {
		return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
	}
	require.Equal(t, now.Add(80*time.Second), renewBefore(jwt(`{"username":"ann","exp":1700000100}`), now))
	require.Equal(t, now.Add(tokenRenewal), renewBefore(jwt(`{"exp":1600000000}`), now), "one that has ended")
	require.Equal(t, now.Add(tokenRenewal), renewBefore(jwt(`{"exp":1700000009}`), now), "one that is about to end")
	require.Greater(t, renewBefore(jwt(`{"exp":9999999999}`), now), now.Add(100*365*24*time.Hour), "one for ever")
	require.Greater(t, renewBefore(jwt(`{"exp":1000000000000}`), now), now.Add(100*365*24*time.Hour), "one for longer than a Duration")
	for _, odd := range []string{jwt(`{"exp":"x"}`), jwt(`[]`), jwt(`{}`), "a.!.c"} {
		require.Equal(t, now.Add(tokenRenewal), renewBefore(odd, now))
	}
}

// A lane is for catching up. What stayed there for good would take one of the
// few lanes from those who need them.
func TestAWatchThatHasCaughtUpLeavesItsLaneEvenIfItsWayOutIsLost(t *testing.T) {
	shared := testConn(t, 9)
	h := shared.h
	h.mu.Lock()
	defer h.mu.Unlock()
	lane := newWatchConn(h, roleLane)
	lane.ep, lane.link, lane.inStep, lane.rev = shared.ep, silentLink{}, true, 9
	h.lanes = append(h.lanes, lane)
	w := testWatch(lane, 3)
	require.NoError(t, play(t, lane, created(1, 9), told(9)))
	require.Same(t, shared, w.moving.conn)

	h.mu.Unlock()
	h.connLost(shared, errors.New("lost"))
	h.mu.Lock()
	require.NotNil(t, w.moving)
	next := w.moving.conn
	require.NotSame(t, shared, next)
	require.Equal(t, roleShared, next.role)

	// A refusal on the way out is no reason to stay either.
	h.c.tokens.credentials = func() (string, string) { return "u", "p" }
	next.ep, next.link, next.inStep, next.rev, next.token = shared.ep, silentLink{}, true, 9, "t"
	next.create(w.moving)
	require.NoError(t, play(t, next, `{"result":{"header":{"cluster_id":"7","revision":"9"},"created":true,"canceled":true,"watch_id":"1","cancel_reason":"etcdserver: invalid auth token"}}`))
	require.NotNil(t, w.moving)
	require.NotSame(t, next, w.moving.conn)
	next.link = nil // it is the test's
	lane.link = nil
}
