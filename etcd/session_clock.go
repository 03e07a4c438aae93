package etcd

import "time"

// A renewal is a lease's last proof of life as this process's clocks see it.
//
// Two clocks judge it. The monotonic one is right as long as the machine runs,
// but stands still while it is suspended. Wall time goes on then, so it serves
// as a second witness: whichever says first that the time is over is believed.
// A step of the wall clock forward, beyond what is left of the session, looks
// just like a suspended machine and ends the session as that would; smaller
// steps, slewing and steps back do no harm, since each renewal starts anew.
// Not to be noticed is only a suspension during which the wall clock was set
// back by as much.
type renewal struct {
	sent time.Time     // with the monotonic clock: before the renewal was sent
	wall time.Time     // the same moment, by wall time alone
	good time.Duration // how long the session is good from there: TTL less margin
}

func newRenewal(sent time.Time, good time.Duration) renewal {
	return renewal{sent: sent, wall: sent.Round(0), good: good}
}

// deadline is when the time is over by the monotonic clock.
func (r renewal) deadline() time.Time { return r.sent.Add(r.good) }

// over reports whether the time is over at now.
func (r renewal) over(now time.Time) bool {
	return r.elapsedOver(now.Sub(r.sent), now.Round(0).Sub(r.wall))
}

// elapsedOver judges by how much time has passed on either clock.
func (r renewal) elapsedOver(monotonic, wall time.Duration) bool {
	return monotonic >= r.good || wall >= r.good
}
