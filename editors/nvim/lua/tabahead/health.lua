-- `:checkhealth tabahead`.

local client = require('tabahead.client')

local M = {}

function M.check()
  local health = vim.health
  health.start('tabahead')

  local command, reason = client.command()
  if not command then
    health.error((reason or 'there is no server'):gsub('; see .*', ''), {
      'cargo install --path crates/tabahead, in a copy of the repository',
      'or name the program in setup { cmd = { ... } }',
    })
  else
    local answer = vim.system({ command[1], '--version' }, { text = true }):wait(5000)
    if answer.code == 0 then
      health.ok(('%s (%s)'):format(vim.trim(answer.stdout), vim.fn.exepath(command[1])))
      health.info(
        ('`%s doctor` shows which model fits this machine; see |tabahead-model|'):format(command[1])
      )
    else
      health.error(('"%s --version" failed: %s'):format(command[1], vim.trim(answer.stderr or '')))
    end
  end

  local running, failure = client.state()
  if failure then
    -- A missing program was reported above.
    if command then
      health.error(failure)
    end
  elseif running then
    local state, why = require('tabahead.status').state_of_server()
    local message = require('tabahead.status').message
    if state == 'failed' then
      health.error('the server runs, but suggests nothing: ' .. why, {
        '`:Tabahead model mini` uses the built-in model until Neovim ends',
        'the setting `model` is in setup { settings = ... } or in the file that `tabahead config` shows',
      })
    else
      local line = 'the server runs and is ' .. state .. (why ~= '' and ': ' .. why or '')
      if why ~= '' and why == require('tabahead.status').unread then
        health.warn(line, {
          '`tabahead doctor` shows what is wrong in the configuration file',
          'the wrong setting may also be in setup { settings = ... }',
        })
      else
        health.ok(line)
      end
      if message then
        health.warn('the server reported: ' .. message)
      end
    end
  else
    health.info('the server does not run: it is started with the first file')
  end

  for _, other in ipairs(vim.lsp.get_clients({ name = 'tabahead' })) do
    if running and other.id ~= running.id then
      health.warn('another client named "tabahead" runs beside the plug-in, for example by vim.lsp.enable()')
    end
  end

  for _, key in ipairs(require('tabahead.keys').state()) do
    if key.ours then
      health.ok(('%s is %s'):format(key.key, key.action))
    else
      health.warn(
        ('%s is not %s: another mapping has it'):format(key.key, key.action),
        'choose another key in setup { keys = { ... } }, or call it from that mapping'
      )
    end
  end

  for name, loaded in pairs({ ['copilot.vim'] = 'loaded_copilot', ['llama.vim'] = 'loaded_llama' }) do
    if vim.g[loaded] then
      health.warn(name .. ' is loaded, too, and draws its own suggestions in the same place')
    end
  end
end

return M
