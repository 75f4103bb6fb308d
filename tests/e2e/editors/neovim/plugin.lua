-- Drives the plug-in in a Neovim under test. See harness.lua.

package.path = vim.env.SCRIPTS .. '/?.lua;' .. package.path
local actor = require('plugin.actor')
local test = require('harness')

actor.start()
test.seen('Neovim ' .. test.lua('return tostring(vim.version())'))
test.expect(
  'modules before the first file',
  test.lua([[
    local loaded = {}
    for name in pairs(package.loaded) do
      if vim.startswith(name, 'tabahead') then table.insert(loaded, name) end
    end
    table.sort(loaded)
    return table.concat(loaded, ' ')
  ]]),
  'tabahead tabahead.config tabahead.keys'
)

for _, group in ipairs({ 'typing', 'leaving', 'editing', 'texts', 'edges', 'living', 'asking' }) do
  require('plugin.' .. group)
end
test.finish(0)
