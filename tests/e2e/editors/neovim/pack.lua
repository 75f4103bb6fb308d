-- Installs the plug-in with Neovim's package manager, as README.md describes, and uses it. See
-- harness.lua.

package.path = vim.env.SCRIPTS .. '/?.lua;' .. package.path
local actor = require('plugin.actor')
local samples = require('samples')
local test = require('harness')
local expect, seen = test.expect, test.seen

-- A repository with the plug-in at the same path as in ours.
local repository = vim.env.FOLDER .. '/repository'
vim.fn.mkdir(repository .. '/editors', 'p')
for _, command in ipairs({
  { 'cp', '-r', vim.env.PLUGIN, 'editors/nvim' },
  { 'git', 'init', '--quiet' },
  { 'git', 'add', '.' },
  { 'git', '-c', 'user.name=test', '-c', 'user.email=test@test', 'commit', '--quiet', '--message=plug-in' },
}) do
  local ran = vim.system(command, { cwd = repository }):wait()
  if ran.code ~= 0 then
    test.fail(table.concat(command, ' ') .. ': ' .. ran.stderr)
  end
end
vim.env.REPOSITORY = repository

actor.start()
local before = actor.open('packed.rs', samples.rust)
actor.type_text('acc')
local text = actor.shown()
before = before .. 'acc' .. actor.tab()
expect('the buffer', test.buffer(), before)
seen('installed by vim.pack: ' .. vim.inspect(text))

test.lua([[vim.cmd.help('tabahead-keys')]])
expect('help', test.lua('return vim.fn.expand("%:t")'), 'tabahead.txt')
seen('its help is found')
test.finish(0)
