//go:build race

package xmlstream

const forgetful = 20 // allocations that are no fault of ours
