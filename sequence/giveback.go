package sequence

import "context"

// giveBack gives numbers back that nobody got: those of blocks, of whose first
// one used were given out. It does so only if the key is as the last block left
// it, which the mod revision shows: nobody has taken anything since, and no
// number that is given back was ever seen. Where it is carried out late, that
// still holds.
func (c *counter) giveBack(ctx context.Context, blocks []*block, used uint64) error {
	to, any := rewind(blocks, used)
	if !any {
		return nil
	}
	last := blocks[len(blocks)-1]
	return c.alone(ctx, func() error {
		if c.known.mod > last.rev {
			return nil // others were there, we have seen it
		}
		now := state{cfg: last.r.cfg, used: true, last: last.r.Last()}
		c.known = known{state: now, mod: last.rev, at: last.rev}
		_, err := c.carryOut(ctx, c.newChange(to))
		return err
	})
}

// rewind gives the state to go back to: from the end of the last block as far
// as numbers were not given out, through blocks that follow each other in the
// sequence without anything between. It reports whether that is any number.
func rewind(blocks []*block, used uint64) (to state, any bool) {
	if last := blocks[len(blocks)-1]; !last.tail {
		return state{}, false
	}
	for i := len(blocks) - 1; i >= 0; i-- {
		b, given := blocks[i], uint64(0)
		if i == 0 {
			given = used
		}
		if given == b.n {
			break
		}
		any = true
		if given > 0 {
			return b.before.at(b.number(given - 1)), true
		}
		to = b.before
		if i > 0 && !(blocks[i-1].tail && b.base == blocks[i-1].rev) {
			break
		}
	}
	return to, any
}
