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
  use, intrinsic :: iso_c_binding, only: c_int
  use, intrinsic :: iso_fortran_env, only: int64, output_unit, real64
  use park
  implicit none

  integer, parameter :: side = 400
  integer(c_int), parameter :: SIGUSR1 = 10, SIGUSR2 = 12 ! Linux's numbers

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

  ! Called from inside ready(). It may print, since this program does not call ready() in a print statement.
  subroutine draw(done, total, seconds_left)
    real(real64), intent(in) :: done, total, seconds_left

    write (output_unit, '(2a,i3,a,i0,a,i0,a)', advance='no') achar(13), 'heat-f90 ', nint(100*done/total), '%  ', &
         int(done, int64), ' of ', int(total, int64), ' steps  '
    if (seconds_left >= 0) write (output_unit, '(i0,a)', advance='no') nint(seconds_left), ' s left   '
    flush (output_unit)
  end subroutine draw

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

  function ending(code)
    integer(c_int), intent(in) :: code
    character(:), allocatable :: ending
    ending = 'aborted'
    if (code == PARK_EXIT_CHECKPOINTED) ending = 'stopped, checkpoint saved,'
    if (code == 0) ending = 'done'
  end function ending
end module heat

program heat_f90
  use heat
  implicit none

  ! target, because park reads and writes them at ready points
  real(real64), target :: alpha = 0.2_real64, u(side, side)
  integer(int64), target :: step = 0
  integer(int64) :: steps
  type(park_handler) :: job
  integer(c_int) :: code
  logical :: found

  steps = steps_wanted()
  call prepare(u)

  call job%open('heat-f90')
  call job%expose('alpha', alpha, min=0d0, max=0.25d0)
  call job%describe('alpha', 'cells^2/step', 'how fast heat spreads; above 1/4 the scheme is unstable')
  call job%protect('u', u)
  call job%protect('step', step)
  call job%checkpoint_dir('heat-f90.ckpt', keep=2)
  call job%set_units('steps')
  call job%listen() ! in another terminal: park watch heat-f90
  call job%set_delta(PARK_PROGRESS_DELTA, 0.2d0)
  call job%on_progress(draw)
  call job%catch(0, PARK_CATCH_INTERACTIVE) ! Ctrl-C
  call job%catch(0, PARK_CATCH_SLURM) ! SIGTERM
  call job%catch(SIGUSR1, PARK_PAUSE)
  call job%catch(SIGUSR2, PARK_RESUME)

  call job%restore(found)
  if (found) print '(a,i0)', 'going on from step ', step
  do while (step < steps)
     call advance(u, alpha)
     step = step + 1
     call job%progress(step, steps)
     if (job%ready() /= PARK_OK) exit
  end do
  call job%detach()

  code = job%exit_code()
  if (code == 0) call job%checkpoint_clear()
  call job%close()
  print '(/,2a,i0,a,g0.12)', ending(code), ' at step ', step, ', in the middle ', u(side/2, side/2)
  stop code, quiet=.true.
end program heat_f90
