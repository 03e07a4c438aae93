package lock_test

import (
	"testing"
	"time"

	"github.com/quorate/quorate/etcd"
	"github.com/quorate/quorate/internal/linetest"
	"github.com/quorate/quorate/lock"
)

// Who holds and who waits costs keep-alives, and a look now and then whether the
// member that its watches are at is alive; nothing else.
func TestHoldersAndWaitersAtRestSendNothingButSignsOfLife(t *testing.T) {
	inTime(t, linetest.Latency, func(w *world) {
		var held []*lock.Handle
		var waiting []<-chan acquired
		for _, k := range [][2]func(*etcd.Session) trier{
			{aMutex, aMutex}, {aReader, aWriter}, {somePermits(2), somePermits(2)}, {aQuarantined, aQuarantined},
		} {
			held = append(held, w.acquire(k[0](w.Session())))
			for range 2 {
				waiting = append(waiting, w.start(w.Context(), k[1](w.Session())))
			}
		}
		time.Sleep(time.Minute) // what was warm has cooled
		w.AtRest(time.Minute, len(held)+len(waiting), 0)
		for _, h := range held {
			w.release(h)
		}
		for _, c := range waiting {
			w.release(w.gets(c))
		}
	})
}
