! heat.c in Fortran: a loop that stays in the main program and becomes a job. From the root of the repository:
!
!   $ make
!   $ mkdir -p build
!   $ gfortran -O2 -std=f2018 -Wall -Wextra -pedantic -Jbuild include/park.f90 examples-c/heat.f90 -o build/heat-f90 \
!       -Ltarget/release -lpark -Wl,-rpath,$PWD/target/release
!   $ build/heat-f90
!
! "build/heat-f90 5000" takes as many steps. Ctrl-C stops it with a checkpoint, a second one aborts; run it again and it
! goes on where it was stopped. "kill -USR1" and "kill -USR2" pause and resume it. The exit code is park's: 0 done,
! 85 stopped with a checkpoint (run me again), 86 aborted.
module heat
  use, intrinsic :: iso_c_binding, only: c_funloc, c_funptr, c_int
  use, intrinsic :: iso_fortran_env, only: int64, output_unit, real64
  use park
  implicit none

  integer, parameter :: side = 400
  character(*), parameter :: checkpoint = 'heat-f90.ckpt'
  integer(c_int), parameter :: SIGINT = 2, SIGUSR1 = 10, SIGUSR2 = 12, SIGTERM = 15 ! Linux's numbers

  type(park_handler) :: job ! in a module, where the signal handler finds it

  interface
     function c_signal(number, handler) bind(c, name='signal') result(previous)
       import :: c_funptr, c_int
       integer(c_int), value :: number
       type(c_funptr), value :: handler
       type(c_funptr) :: previous
     end function c_signal

     function c_rename(from, to) bind(c, name='rename') result(status)
       use, intrinsic :: iso_c_binding, only: c_char, c_int
       character(kind=c_char), intent(in) :: from(*), to(*)
       integer(c_int) :: status
     end function c_rename
  end interface

contains

  ! The border stays cold, the middle is hot.
  subroutine prepare(u)
    real(real64), intent(out) :: u(:, :)

    u = 0
    u(side/4 + 1:3*side/4, side/4 + 1:3*side/4) = 100
  end subroutine prepare

  subroutine advance(u, alpha)
    real(real64), intent(inout) :: u(:, :)
    real(real64), intent(in) :: alpha
    real(real64), save :: next(side, side) = 0
    integer :: i, j

    do j = 2, side - 1
       do i = 2, side - 1
          next(i, j) = u(i, j) + alpha*(u(i - 1, j) + u(i + 1, j) + u(i, j - 1) + u(i, j + 1) - 4*u(i, j))
       end do
    end do
    u = next
  end subroutine advance

  ! Written beside, then renamed: a kill in the middle leaves the older checkpoint whole.
  function save_to_file(u, alpha, step) result(saved)
    real(real64), intent(in) :: u(:, :), alpha
    integer(int64), intent(in) :: step
    logical :: saved
    integer :: unit, failed, closing

    saved = .false.
    open (newunit=unit, file=checkpoint//'.new', access='stream', form='unformatted', action='write', status='replace', &
         iostat=failed)
    if (failed /= 0) return
    write (unit, iostat=failed) 'heat-f90', step, alpha, u
    close (unit, iostat=closing)
    if (failed /= 0 .or. closing /= 0) return
    saved = c_rename(checkpoint//'.new'//achar(0), checkpoint//achar(0)) == 0
  end function save_to_file

  subroutine restore_from_file(u, alpha, step)
    real(real64), intent(inout) :: u(:, :), alpha
    integer(int64), intent(inout) :: step
    character(8) :: magic
    logical :: there
    integer :: unit, failed

    inquire (file=checkpoint, exist=there)
    if (.not. there) return
    open (newunit=unit, file=checkpoint, access='stream', form='unformatted', action='read', status='old', iostat=failed)
    if (failed == 0) read (unit, iostat=failed) magic, step, alpha, u
    if (failed /= 0 .or. magic /= 'heat-f90') then
       print '(a)', checkpoint//' is no whole checkpoint of this program; move it away to start afresh'
       stop 2, quiet=.true.
    end if
    close (unit)
    print '(a,i0,a)', 'going on from step ', step, ' of '//checkpoint
  end subroutine restore_from_file

  ! Called from inside ready(). It may print, since this program does not call ready() in a print statement.
  subroutine draw(done, total, seconds_left)
    real(real64), intent(in) :: done, total, seconds_left

    write (output_unit, '(2a,i3,a,i0,a,i0,a)', advance='no') achar(13), 'heat-f90 ', nint(100*done/total), '%  ', &
         int(done, int64), ' of ', int(total, int64), ' steps  '
    if (seconds_left >= 0) write (output_unit, '(i0,a)', advance='no') nint(seconds_left), ' s left   '
    flush (output_unit)
  end subroutine draw

  ! A POSIX signal handler: it may do nothing but tell park, no I/O above all.
  subroutine on_signal(number) bind(c)
    integer(c_int), value :: number
    logical, save :: asked = .false.

    select case (number)
    case (SIGUSR1)
       call job%signal(PARK_PAUSE)
    case (SIGUSR2)
       call job%signal(PARK_RESUME)
    case default
       call job%signal(merge(PARK_ABORT, PARK_STOP, asked))
       asked = .true.
    end select
  end subroutine on_signal

  subroutine handle(numbers)
    integer(c_int), intent(in) :: numbers(:)
    type(c_funptr) :: previous
    integer :: i

    do i = 1, size(numbers)
       previous = c_signal(numbers(i), c_funloc(on_signal))
    end do
  end subroutine handle

  function steps_wanted() result(steps)
    integer(int64) :: steps
    character(32) :: argument
    integer :: failed

    steps = 100000
    if (command_argument_count() == 0) return
    call get_command_argument(1, argument)
    read (argument, *, iostat=failed) steps
    if (failed /= 0 .or. steps < 1) then
       print '(a)', 'usage: heat-f90 [steps]'
       stop 2, quiet=.true.
    end if
  end function steps_wanted
end module heat

program heat_f90
  use heat
  implicit none

  real(real64), target :: alpha = 0.2_real64 ! target, because park writes to it at ready points
  real(real64) :: u(side, side)
  integer(int64) :: step = 0, steps
  integer :: unit
  integer(c_int) :: code

  steps = steps_wanted()
  call prepare(u)
  call restore_from_file(u, alpha, step)

  call job%open('heat-f90')
  call job%expose('alpha', alpha, min=0d0, max=0.25d0)
  call job%describe('alpha', 'cells^2/step', 'how fast heat spreads; above 1/4 the scheme is unstable')
  call job%set_units('steps')
  call job%listen() ! in another terminal: park watch heat-f90
  call job%set_delta(PARK_PROGRESS_DELTA, 0.2d0)
  call job%on_progress(draw)
  call handle([SIGINT, SIGTERM, SIGUSR1, SIGUSR2])

  do while (step < steps)
     call advance(u, alpha)
     step = step + 1
     call job%progress(step, steps)
     if (job%checkpoint_due()) call job%checkpoint_done(save_to_file(u, alpha, step))
     if (job%ready() /= PARK_OK) exit
  end do
  call job%close()

  code = job%exit_code()
  print '(/,a,i0,a,g0.12)', trim(merge('done   ', 'stopped', code == 0))//' at step ', step, ', in the middle ', u(side/2, side/2)
  if (code == 0) then
     open (newunit=unit, file=checkpoint)
     close (unit, status='delete')
  end if
  stop code, quiet=.true.
end program heat_f90
