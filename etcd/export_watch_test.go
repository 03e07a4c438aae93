package etcd

// HeldBytes is what the watches of c hold, for tests from outside.
func HeldBytes(c *Client) int64 {
	c.watches.mu.Lock()
	defer c.watches.mu.Unlock()
	var sum int64
	for w := range c.watches.holders {
		for i := range w.buf {
			sum += w.buf[i].bytes()
		}
	}
	if sum != c.watches.held {
		panic("the count of bytes held is wrong")
	}
	return sum
}
