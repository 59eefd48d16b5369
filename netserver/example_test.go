package netserver_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"net"
	"time"

	"weir/netserver"
)

// shout is a handler that answers each line in capitals.
type shout struct{}

func (shout) Data(c *netserver.Conn, b []byte) (int, error) {
	taken := 0
	for {
		n := bytes.IndexByte(b[taken:], '\n') + 1
		if n == 0 {
			return taken, nil // the rest of the line comes with the next call
		}
		line := bytes.ToUpper(b[taken : taken+n])
		taken += n
		if err := c.Append(func(dst []byte) []byte { return append(dst, line...) }); err != nil {
			return taken, err
		}
	}
}

// BatchEnd writes the answers to all lines that came together at once.
func (shout) BatchEnd(c *netserver.Conn) { c.Drain() }

func (shout) PreDrain(_ *netserver.Conn, batch []byte) []byte {
	return append(batch, "(that was all)\n"...)
}

func (shout) Drained(*netserver.Conn)                         {}
func (shout) ReadTimeout(*netserver.Conn, bool) time.Duration { return 0 }
func (shout) Closed(_ *netserver.Conn, cause error)           { fmt.Println("closed:", cause) }

func Example() {
	s := netserver.New(netserver.Options{})
	addr, err := s.Listen(netserver.Listen{
		Addr: "127.0.0.1:0",
		New: func(c *netserver.Conn) (netserver.Handler, error) {
			c.SetIdle(5 * time.Minute)
			return shout{}, nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	client, err := net.Dial("tcp", addr.String())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Fprint(client, "one\ntwo\n")
	r := bufio.NewScanner(client)
	for range 3 {
		r.Scan()
		fmt.Println(r.Text())
	}
	client.Close()
	if err := s.Shutdown(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// ONE
	// TWO
	// (that was all)
	// closed: EOF
}
