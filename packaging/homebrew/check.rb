# ruby packaging/homebrew/check.rb FOLDER CHECKSUMS
#
# Loads each formula of a folder with a small stand-in for Homebrew's classes, and
# checks what Homebrew would read on each platform. Homebrew itself is not needed.

# What a formula calls in its class body. The blocks of a platform are run if
# `Formula.platform` has it.
class Formula
  class << self
    attr_reader :facts
    attr_writer :platform

    # Of all formulas: it is that of this class.
    def on?(part)
      Formula.instance_variable_get(:@platform).include?(part)
    end

    def inherited(formula)
      super
      formula.instance_variable_set(:@facts, {})
    end

    %i[desc homepage version license url sha256].each do |name|
      define_method(name) do |value|
        raise "#{self}: #{name} is given twice" if @facts.key?(name)

        @facts[name] = value
      end
    end

    { on_macos: :macos, on_linux: :linux, on_arm: :arm, on_intel: :intel }.each do |name, part|
      define_method(name) { |&block| block.call if on?(part) }
    end

    def test(&block)
      @facts[:test] = block
    end
  end
end

TARGETS = {
  %i[macos arm] => "aarch64-apple-darwin",
  %i[macos intel] => "x86_64-apple-darwin",
  %i[linux arm] => "aarch64-unknown-linux-gnu",
  %i[linux intel] => "x86_64-unknown-linux-gnu",
}.freeze

sums = File.readlines(ARGV.fetch(1)).to_h { |line| line.split.reverse }
files = Dir[File.join(ARGV.fetch(0), "*.rb")]
raise "no formulas" if files.empty?

TARGETS.each do |platform, target|
  Formula.platform = platform
  files.each do |file|
    program = File.basename(file, ".rb")
    # Homebrew finds the class by the name of the file.
    name = program.split("-").map(&:capitalize).join
    Object.send(:remove_const, name) if Object.const_defined?(name)
    load file
    formula = Object.const_get(name)
    facts = formula.facts
    missing = %i[desc homepage version license url sha256 test] - facts.keys
    raise "#{file}: no #{missing.join(", ")} on #{target}" unless missing.empty?
    raise "#{file}: wrong archive #{facts[:url]} on #{target}" unless
      facts[:url].end_with?("/#{program}-#{facts[:version]}-#{target}.tar.gz")
    raise "#{file}: wrong checksum on #{target}" unless facts[:sha256] == sums.fetch(File.basename(facts[:url]))
    raise "#{file}: the description is too long, or begins with an article" if
      facts[:desc].length > 80 || facts[:desc].match?(/\A(a|an|the) /i)
    raise "#{file}: installs nothing" unless formula.method_defined?(:install)
  end
end
puts "#{files.length} formulas are whole on #{TARGETS.length} platforms"
