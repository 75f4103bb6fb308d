-- Drives the plug-in with a model that users run. See harness.lua.

package.path = vim.env.SCRIPTS .. '/?.lua;' .. package.path
local actor = require('plugin.actor')
local test = require('harness')
local expect, seen = test.expect, test.seen

actor.start()
local before = actor.open('seasons.lua', {
  'local M = {}',
  '',
  '--- How many days each month has.',
  'M.days = {',
  '  january = 31,',
  '  february = 28,',
  '  march = 31,',
  '  ',
})
actor.type_text('ap')
before = before .. 'ap'
local text = actor.shown()
expect('the buffer', test.buffer(), before)
actor.expect_screen('the screen', before .. text)
seen('ghost text of ' .. test.stats().model.id .. ': ' .. vim.inspect(text))

-- Tab twice: the next suggestion was computed while the previous one was being read.
local counted = test.settle()
for _ = 1, 2 do
  before = before .. actor.tab()
  expect('the buffer after Tab', test.buffer(), before)
  actor.shown()
end
local after = test.settle()
expect('answers that were computed ahead', after.hits.speculated - counted.hits.speculated, 2)
expect('answers that had to be computed', after.misses, counted.misses)
seen('Tab x 2, each answered from what was computed ahead: ' .. vim.inspect(before:sub(-60)))
test.finish(0)
