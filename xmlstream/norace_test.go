//go:build !race

package xmlstream

const forgetful = 0 // allocations that are no fault of ours
